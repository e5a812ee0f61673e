/**
 * What the users of a shop do. Copy this file, put the pages of your own service in, and give it with --scenario.
 *
 * Each user has cookies of its own. A request whose status is 400 or more, or not what `expect` says, is an error; so is
 * whatever a task throws, such as an assertion of node:assert.
 *
 * @type {import('../lib/scenario.js').Scenario}
 */
export default {
  /** Seconds between two tasks: each time a random number from 5 to 15. --wait-scale makes them shorter or longer. */
  wait: [5, 15],

  /** What a user does first. */
  async start(user) {
    await user.post('/login', { form: { name: `user-${user.id}`, password: 'secret' }, expect: 302 });
  },

  /** What it does then, again and again: how often, as a weight, and what. */
  tasks: {
    index: [6, (user) => user.get('/', { expect: 200 })],
    about: [3, (user) => user.get('/about')],
    cart: [1, (user) => user.post('/cart', { json: { item: 'lamp' }, expect: 201 })],
  },
};
