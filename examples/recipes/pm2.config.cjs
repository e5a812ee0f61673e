// pm2 start pm2.config.cjs
module.exports = {
  apps: [
    {
      name: 'shop',
      script: './server.js',
      instances: 2, // each has a pool of its own: 2 × maxActive connections at most
      exec_mode: 'cluster', // implied by instances; by 'fork' the second one would end with EADDRINUSE
      wait_ready: true, // until it sends 'ready'
      kill_timeout: 15_000, // longer than the 8 s of gracefulStop and the 2 s of close(): PM2 sends SIGINT, then SIGKILL
    },
  ],
};
