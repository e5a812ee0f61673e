const net = require('node:net');

/**
 * Prepares an HTTP server to be stopped without losing a request; returns a function that stops it. From then on it takes no
 * new connection, and answers each request that still comes over an open one with `Connection: close`. Every `idleMs` it closes
 * the connections that are idle, and after `mostMs` all.
 */
exports.gracefulStop = function gracefulStop(server, { idleMs = 1000, mostMs = 8000 } = {}) {
  const answering = new Set();
  let stopping = false;
  const last = (response) => {
    if (!response.headersSent) response.setHeader('Connection', 'close');
  };
  server.prependListener('request', (_request, response) => {
    answering.add(response);
    response.once('close', () => answering.delete(response));
    if (stopping) last(response);
  });
  return () => {
    stopping = true;
    for (const response of answering) last(response);
    const idle = setInterval(() => server.closeIdleConnections(), idleMs);
    const end = setTimeout(() => server.closeAllConnections(), mostMs);
    return new Promise((resolve) => {
      // Not server.close(), which at once closes connections over which a request may be on its way.
      net.Server.prototype.close.call(server, () => {
        clearInterval(idle);
        clearTimeout(end);
        resolve();
      });
    });
  };
};
