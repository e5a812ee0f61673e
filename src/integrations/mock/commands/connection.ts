import { atLeast, type Command, type Context, exactly, toInt } from '../command.ts';
import { glob } from '../glob.ts';
import { Failure, OK, Pairs, Push, type Reply, Status } from '../reply.ts';

/** The lines that ioredis reads before it emits `ready`. */
const INFO = 'redis_version:7.0.0\r\nredis_mode:standalone\r\nloading:0\r\nrole:master\r\n';

function hello({ client }: Context, version?: string, ...rest: string[]): Reply {
  if (version !== undefined && version !== '2' && version !== '3') {
    throw new Failure('NOPROTO unsupported protocol version');
  }
  if (version !== undefined) client.protocol = version === '3' ? 3 : 2;
  const name = rest.findIndex((one) => one.toLowerCase() === 'setname');
  if (name >= 0) client.name = rest[name + 1] ?? '';
  return new Pairs([
    ['server', 'redis'],
    ['version', '7.0.0'],
    ['proto', client.protocol],
    ['id', client.id],
    ['mode', 'standalone'],
    ['role', 'master'],
    ['modules', []],
  ]);
}

/** A line of CLIENT LIST. */
function describeClient(client: Context['client']): string {
  const { id, name, dbIndex, channels, patterns, protocol } = client;
  return (
    `id=${id} addr=memory:${id} laddr=memory:0 fd=${id} name=${name} age=0 idle=0 flags=N db=${dbIndex} ` +
    `sub=${channels.size} psub=${patterns.size} ssub=0 multi=-1 events=r cmd=client user=default redir=-1 resp=${protocol}\n`
  );
}

function client({ client, clients }: Context, what: string, ...rest: string[]): Reply {
  switch (what.toLowerCase()) {
    case 'setname':
      client.name = rest[0] ?? '';
      return OK;
    case 'getname':
      return client.name === '' ? null : client.name;
    case 'id':
      return client.id;
    case 'list':
      if (rest.length > 0) throw new Failure("ERR the mock's CLIENT LIST takes no options");
      return [...clients].map(describeClient).join('');
    case 'info':
      return describeClient(client);
    case 'setinfo':
    case 'no-evict':
    case 'no-touch':
      return OK;
    default:
      throw new Failure(
        `ERR the mock does not know CLIENT ${what.toUpperCase()}: answer it with mock.reply('client', …)`,
      );
  }
}

function select({ client, dbs }: Context, index: string): Reply {
  const wanted = toInt(index);
  if (dbs[wanted] === undefined) throw new Failure('ERR DB index is out of range');
  client.dbIndex = wanted;
  return OK;
}

/** SUBSCRIBE and the like send one message for each channel, and no reply. */
function subscription(which: 'channels' | 'patterns', how: 'add' | 'delete'): Command {
  const kind = `${which === 'patterns' ? 'p' : ''}${how === 'delete' ? 'un' : ''}subscribe`;
  return atLeast(how === 'add' ? 1 : 0, ({ client }, ...names) => {
    const all = how === 'delete' && names.length === 0 ? [...client[which]] : names;
    for (const name of all.length > 0 ? all : [null]) {
      if (name !== null) client[which][how](name);
      client.tell(new Push([kind, name, client.channels.size + client.patterns.size]));
    }
    return undefined;
  });
}

function publish({ clients }: Context, channel: string, message: string): Reply {
  let heard = 0;
  for (const client of clients) {
    if (client.channels.has(channel)) {
      client.tell(new Push(['message', channel, message]));
      heard++;
    }
    for (const pattern of client.patterns) {
      if (!glob(pattern)(channel)) continue;
      client.tell(new Push(['pmessage', pattern, channel, message]));
      heard++;
    }
  }
  return heard;
}

export const connectionCommands: Readonly<Record<string, Command>> = {
  ping: atLeast(0, (_, text) => text ?? new Status('PONG'), 1),
  echo: exactly(1, (_, text) => text),
  select: exactly(1, (context, index) => select(context, index)),
  auth: atLeast(1, () => OK, 2),
  hello: atLeast(0, (context, ...args) => hello(context, ...args)),
  client: atLeast(1, (context, what, ...rest) => client(context, what, ...rest)),
  info: atLeast(0, () => INFO),
  quit: atLeast(0, ({ client }) => {
    client.quit();
    return OK;
  }),
  subscribe: subscription('channels', 'add'),
  unsubscribe: subscription('channels', 'delete'),
  psubscribe: subscription('patterns', 'add'),
  punsubscribe: subscription('patterns', 'delete'),
  publish: exactly(2, (context, channel, message) => publish(context, channel, message)),
};
