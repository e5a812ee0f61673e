import { atLeast, type Command, type Context, readOptions, syntaxError, toFloat, toInt } from '../command.ts';
import { Failure, type Reply, Score } from '../reply.ts';
import { type Member, readScores, sorted, storeMembers } from './zset.ts';

interface Point {
  readonly lon: number;
  readonly lat: number;
}

/** Bits of a score for each of longitude and latitude. */
const STEPS = 26;
const MOST_LON = 180;
/** The bounds of Web Mercator. */
const MOST_LAT = 85.05112878;
const EARTH_RADIUS_M = 6372797.560856;

const METERS: Readonly<Record<string, number>> = { m: 1, km: 1000, ft: 0.3048, mi: 1609.34 };

function toMeters(unit: string): number {
  const word = unit.toLowerCase();
  const meters = Object.hasOwn(METERS, word) ? METERS[word] : undefined;
  if (meters !== undefined) return meters;
  throw new Failure('ERR unsupported unit provided. please use M, KM, FT, MI');
}

function toPoint(lonText: string, latText: string): Point {
  const [lon, lat] = [toFloat(lonText), toFloat(latText)];
  if (Math.abs(lon) <= MOST_LON && Math.abs(lat) <= MOST_LAT) return { lon, lat };
  throw new Failure(`ERR invalid longitude,latitude pair ${lon.toFixed(6)},${lat.toFixed(6)}`);
}

/** Takes bits of latitude and longitude in turn. */
function encode({ lon, lat }: Point, mostLat = MOST_LAT): bigint {
  const cell = (value: number, most: number): bigint =>
    BigInt(Math.floor(((value + most) / (2 * most)) * 2 ** STEPS));
  const [x, y] = [cell(lon, MOST_LON), cell(lat, mostLat)];
  let bits = 0n;
  for (let i = BigInt(STEPS) - 1n; i >= 0n; i--)
    bits = (bits << 2n) | (((x >> i) & 1n) << 1n) | ((y >> i) & 1n);
  return bits;
}

/** The middle of the cell that a score names. */
function decode(score: number): Point {
  const bits = BigInt(score);
  let [x, y] = [0, 0];
  for (let i = BigInt(STEPS) - 1n; i >= 0n; i--) {
    x = x * 2 + Number((bits >> (2n * i + 1n)) & 1n);
    y = y * 2 + Number((bits >> (2n * i)) & 1n);
  }
  const middle = (cell: number, most: number): number => {
    const from = -most + (cell / 2 ** STEPS) * 2 * most;
    const to = -most + ((cell + 1) / 2 ** STEPS) * 2 * most;
    return Math.min(most, Math.max(-most, (from + to) / 2));
  };
  return { lon: middle(x, MOST_LON), lat: middle(y, MOST_LAT) };
}

const radians = (degrees: number): number => degrees * (Math.PI / 180);

function distanceM(a: Point, b: Point): number {
  const u = Math.sin((radians(b.lat) - radians(a.lat)) / 2);
  const v = Math.sin((radians(b.lon) - radians(a.lon)) / 2);
  const angle = u * u + Math.cos(radians(a.lat)) * Math.cos(radians(b.lat)) * v * v;
  return 2 * EARTH_RADIUS_M * Math.asin(Math.sqrt(angle));
}

function toPair({ lon, lat }: Point): Reply {
  return [lon, lat].map((one) => new Score(one, one.toFixed(17).replace(/\.?0+$/, '')));
}

function add({ db }: Context, key: string, ...args: string[]): Reply {
  const at = args.findIndex((one) => !/^(nx|xx|ch)$/i.test(one));
  const { nx, xx, ch } = readOptions(args.slice(0, at), ['nx', 'xx', 'ch'], []);
  const rest = args.slice(at);
  if (rest.length % 3 !== 0 || (nx && xx)) throw syntaxError();
  const members: Member[] = [];
  for (let i = 0; i < rest.length; i += 3) {
    members.push([rest[i + 2] ?? '', Number(encode(toPoint(rest[i] ?? '', rest[i + 1] ?? '')))]);
  }
  const set = new Map(db.get('zset', key));
  let [added, changed] = [0, 0];
  for (const [name, score] of members) {
    const before = set.get(name);
    if (before === undefined ? xx : nx) continue;
    if (before === undefined) added++;
    else if (before !== score) changed++;
    set.set(name, score);
  }
  if (added + changed > 0) db.set('zset', key, set, { keepTtl: true });
  return ch ? added + changed : added;
}

const BASE32 = '0123456789bcdefghjkmnpqrstuvwxyz';

/** The name of a cell as geohash.org has it. */
function hashOf(score: number): string {
  const bits = encode(decode(score), 90);
  const signs = Array.from(
    { length: 10 },
    (_, i) => BASE32[Number((bits >> BigInt(52 - (i + 1) * 5)) & 31n)],
  );
  return `${signs.join('')}0`;
}

interface Found {
  readonly name: string;
  readonly score: number;
  readonly meters: number;
}

/** What is searched for. */
interface Search {
  from: Point;
  /** The meters of a unit. */
  unit: number;
  /** Is given a place, and its distance from the middle. */
  fits: (place: Point, meters: number) => boolean;
  order: 'asc' | 'desc' | undefined;
  count: number | undefined;
  any: boolean;
  withDist: boolean;
  withHash: boolean;
  withCoord: boolean;
  storeDist: boolean;
  target: string | undefined;
}

function toLength(text: string, what: string): number {
  const length = toFloat(text, `ERR need numeric ${what}`);
  if (length >= 0) return length;
  throw new Failure(
    what === 'radius' ? 'ERR radius cannot be negative' : 'ERR height or width cannot be negative',
  );
}

function memberAt(context: Context, key: string, name: string): Point {
  const score = readScores(context, key).get(name);
  if (score === undefined) throw new Failure('ERR could not decode requested zset member');
  return decode(score);
}

function byRadius(search: Partial<Search>, text: string, unit: string): void {
  const radius = toLength(text, 'radius');
  search.unit = toMeters(unit);
  const most = radius * search.unit;
  search.fits = (_, meters) => meters <= most;
}

function byBox(search: Partial<Search>, widthText: string, heightText: string, unit: string): void {
  const [width, height] = [toLength(widthText, 'width'), toLength(heightText, 'height')];
  const meters = toMeters(unit);
  search.unit = meters;
  search.fits = (place) => {
    const { lon, lat } = search.from ?? place;
    return (
      distanceM({ lon: 0, lat }, { lon: 0, lat: place.lat }) <= (height * meters) / 2 &&
      distanceM({ lon, lat: place.lat }, place) <= (width * meters) / 2
    );
  };
}

/** Reads the options of GEOSEARCH and the like; `old` are those of GEORADIUS. */
function readSearch(
  context: Context,
  key: string,
  args: readonly string[],
  search: Partial<Search>,
  old: boolean,
): Search {
  const words = [...args];
  const next = (): string => {
    const word = words.shift();
    if (word === undefined) throw syntaxError();
    return word;
  };
  const set =
    <K extends keyof Search>(name: K, value: Search[K]) =>
    (): void => {
      search[name] = value;
    };
  const known: Readonly<Record<string, () => void>> = {
    asc: set('order', 'asc'),
    desc: set('order', 'desc'),
    withdist: set('withDist', true),
    withhash: set('withHash', true),
    withcoord: set('withCoord', true),
    count: () => {
      search.count = toInt(next());
      if (search.count < 1) throw new Failure('ERR COUNT must be > 0');
    },
    any: set('any', true),
  };
  const fresh: Readonly<Record<string, () => void>> = {
    fromlonlat: () => {
      search.from = toPoint(next(), next());
    },
    frommember: () => {
      const name = next();
      search.from = context.db.has(key) ? memberAt(context, key, name) : { lon: 0, lat: 0 };
    },
    byradius: () => byRadius(search, next(), next()),
    bybox: () => byBox(search, next(), next(), next()),
    storedist: set('storeDist', true),
  };
  const former: Readonly<Record<string, () => void>> = {
    store: () => {
      search.target = next();
    },
    storedist: () => {
      search.target = next();
      search.storeDist = true;
    },
  };
  const all = { ...known, ...(old ? former : fresh) };
  while (words.length > 0) {
    const word = next().toLowerCase();
    const take = Object.hasOwn(all, word) ? all[word] : undefined;
    if (take === undefined) throw syntaxError();
    take();
  }
  return complete(search);
}

function complete(search: Partial<Search>): Search {
  const { from, fits, unit } = search;
  if (from === undefined) {
    throw new Failure('ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for geosearch');
  }
  if (fits === undefined || unit === undefined) {
    throw new Failure('ERR exactly one of BYRADIUS and BYBOX can be specified for geosearch');
  }
  if (search.any && search.count === undefined)
    throw new Failure('ERR the ANY argument requires COUNT argument');
  const none = { withDist: false, withHash: false, withCoord: false, storeDist: false, any: false };
  return { order: undefined, count: undefined, target: undefined, ...none, ...search, from, fits, unit };
}

function find(context: Context, key: string, { from, fits, order, count, any }: Search): Found[] {
  const found = sorted(context, key).flatMap(([name, score]): Found[] => {
    const place = decode(score);
    const meters = distanceM(from, place);
    return fits(place, meters) ? [{ name, score, meters }] : [];
  });
  const sign = order === 'desc' ? -1 : 1;
  if (order !== undefined || (count !== undefined && !any)) {
    found.sort((a, b) => sign * (a.meters - b.meters));
  }
  return found.slice(0, count);
}

function answer(context: Context, key: string, search: Search): Reply {
  const { unit, withDist, withHash, withCoord, target, storeDist } = search;
  const found = find(context, key, search);
  if (target !== undefined) {
    const members = found.map(({ name, score, meters }): Member => [name, storeDist ? meters / unit : score]);
    return storeMembers(context, target, members);
  }
  if (!withDist && !withHash && !withCoord) return found.map(({ name }) => name);
  return found.map(({ name, score, meters }) => [
    name,
    ...(withDist ? [(meters / unit).toFixed(4)] : []),
    ...(withHash ? [score] : []),
    ...(withCoord ? [toPair(decode(score))] : []),
  ]);
}

const search: Command = atLeast(6, (context, key, ...args) => {
  if (args.some((one) => /^storedist$/i.test(one))) throw syntaxError();
  return answer(context, key, readSearch(context, key, args, {}, false));
});

function radius(
  least: number,
  start: (context: Context, key: string, args: string[]) => Partial<Search>,
): Command {
  return atLeast(least, (context, key, ...args) => {
    const begun = start(context, key, args);
    byRadius(begun, args.shift() ?? '', args.shift() ?? '');
    return answer(context, key, readSearch(context, key, args, begun, true));
  });
}

const around = radius(5, (_, _key, args) => ({ from: toPoint(args.shift() ?? '', args.shift() ?? '') }));
const aroundMember = radius(4, (context, key, args) => {
  const name = args.shift() ?? '';
  return { from: context.db.has(key) ? memberAt(context, key, name) : { lon: 0, lat: 0 } };
});

export const geo: Readonly<Record<string, Command>> = {
  geoadd: atLeast(4, add),
  geopos: atLeast(1, (context, key, ...names) => {
    const scores = readScores(context, key);
    return names.map((name) => {
      const score = scores.get(name);
      return score === undefined ? null : toPair(decode(score));
    });
  }),
  geodist: atLeast(3, (context, key, from, to, unit = 'm', ...rest) => {
    if (rest.length > 0) throw syntaxError();
    const meters = toMeters(unit);
    const [a, b] = [from, to].map((name) => readScores(context, key).get(name));
    if (a === undefined || b === undefined) return null;
    return (distanceM(decode(a), decode(b)) / meters).toFixed(4);
  }),
  geohash: atLeast(1, (context, key, ...names) => {
    const scores = readScores(context, key);
    return names.map((name) => {
      const score = scores.get(name);
      return score === undefined ? null : hashOf(score);
    });
  }),
  geosearch: search,
  geosearchstore: atLeast(7, (context, target, key, ...args) =>
    answer(context, key, readSearch(context, key, args, { target }, false)),
  ),
  georadius: around,
  georadius_ro: around,
  georadiusbymember: aroundMember,
  georadiusbymember_ro: aroundMember,
};
