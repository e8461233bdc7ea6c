/** Port of the server's Service. */
export const SERVICE_PORT = 80;
/** Port that the server listens on. */
export const APPLICATION_PORT = 8080;
