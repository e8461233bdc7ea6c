import manifest from '../package.json' with { type: 'json' };

/** Version of Aquifer, which all its packages share, such as `0.1.0`. */
export const VERSION: string = manifest.version;
