// An echo server on Node's streams, with TCP_NODELAY as all the others: node node.js PORT
require("net")
  .createServer({ noDelay: true }, (sock) => sock.on("error", () => {}).pipe(sock))
  .listen(process.argv[2], "127.0.0.1");
