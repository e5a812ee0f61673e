import { atLeast, type Command, type Context, container, toInt } from '../command.ts';
import { Failure, OK, type Reply } from '../reply.ts';

function evaluate({ scripts, call }: Context, text: string, count: string, ...rest: string[]): Reply {
  const keys = toInt(count);
  if (keys > rest.length) throw new Failure("ERR Number of keys can't be greater than number of args");
  if (keys < 0) throw new Failure("ERR Number of keys can't be negative");
  return scripts.run(text, rest.slice(0, keys), rest.slice(keys), call);
}

export const scripting: Readonly<Record<string, Command>> = {
  // EVALSHA comes as EVAL, with the text of the script.
  eval: atLeast(2, evaluate),
  script: container('script', {
    load: atLeast(1, ({ scripts }, text) => scripts.loadChecked(text), 1),
    exists: atLeast(1, ({ scripts }, ...all) => all.map((sha) => Number(scripts.get(sha) !== undefined))),
    flush: atLeast(0, ({ scripts }, how = 'sync', ...rest) => {
      if (!/^a?sync$/i.test(how) || rest.length > 0) {
        throw new Failure('ERR SCRIPT FLUSH only support SYNC|ASYNC option');
      }
      scripts.clear();
      return OK;
    }),
    kill: atLeast(
      0,
      () => {
        throw new Failure('NOTBUSY No scripts in execution right now.');
      },
      0,
    ),
  }),
};
