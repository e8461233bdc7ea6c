/** Makes one load in a namespace (argument: a `LoadRequest` as JSON) and prints its `LoadResult`. */
import { generateLoad } from '@aquifer/compare/load-generator';

const [request = '{}'] = process.argv.slice(2);
const result = await generateLoad(JSON.parse(request));
process.stdout.write(`${JSON.stringify(result)}\n`);
