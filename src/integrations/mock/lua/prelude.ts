/** What makes fengari's Lua 5.3 look like the Lua 5.1 of Redis; `native` has the functions of the mock. */
export const PRELUDE = `
local native = ...
local error, floor, ceil, type, select = error, math.floor, math.ceil, type, select
local unpack, tointeger, find, gsub = table.unpack, math.tointeger, string.find, string.gsub

-- Integers have 32 bits here, and all numbers of scripts are floats: whatever makes integers is to make floats.
local parse = tonumber
local function tonumber(...)
  local number = parse(...)
  return number and number + 0.0
end
math.floor = function(x) return floor(x) + 0.0 end
math.ceil = function(x) return ceil(x) + 0.0 end
math.pow = function(x, y) return x ^ y end
math.mod, math.log10 = math.fmod, function(x) return math.log(x, 10) end
math.ldexp = function(x, y) return x * 2.0 ^ y end
math.tointeger, math.type, math.ult = nil, nil, nil
math.maxinteger, math.mininteger = nil, nil

local format = string.format
string.format = function(text, ...)
  local values, at = { ... }, 0
  text = gsub(text, '%%([-+ #0]*%d*%.?%d*)(.)', function(flags, kind)
    if kind == '%' then return nil end
    at = at + 1
    local number = find(kind, '[diuxXoc]') and parse(values[at])
    if not number then return nil end
    values[at] = number < 0 and ceil(number) or floor(number)
    if find(kind, '[diu]') then
      values[at] = values[at] + 0.0
      return '%' .. gsub(flags, '%..*', '') .. '.0f'
    end
  end)
  return format(text, unpack(values, 1, select('#', ...)))
end
string.pack, string.unpack, string.packsize, string.gfind = nil, nil, nil, string.gmatch

table.getn = function(list) return #list end
table.maxn = function(list)
  local most = 0
  for key in pairs(list) do
    if type(key) == 'number' and key > most then most = key end
  end
  return most
end
table.foreach = function(list, run)
  for key, value in pairs(list) do
    local result = run(key, value)
    if result ~= nil then return result end
  end
end
table.pack, table.move, table.unpack = nil, nil, nil

local base = {}
for _, name in ipairs({ 'assert', 'error', 'getmetatable', 'ipairs', 'next', 'pairs', 'pcall', 'rawequal', 'rawget',
    'rawset', 'select', 'setmetatable', 'type', 'xpcall', 'collectgarbage', 'string', 'table', 'math',
    'coroutine' }) do
  base[name] = _G[name]
end
base.unpack, base.tonumber, base.tostring, base._VERSION = unpack, tonumber, native.tostring, 'Lua 5.1'

-- An error of a command is a table; what pcall gives of it is its text.
local function plain(ok, first, ...)
  if not ok and type(first) == 'table' and type(first.err) == 'string' then first = first.err end
  return ok, first, ...
end
local pcall = pcall
base.pcall = function(...) return plain(pcall(...)) end

base.redis = native.redis
for name, value in pairs({ LOG_DEBUG = 0.0, LOG_VERBOSE = 1.0, LOG_NOTICE = 2.0, LOG_WARNING = 3.0, REPL_NONE = 0.0,
    REPL_SLAVE = 1.0, REPL_REPLICA = 1.0, REPL_AOF = 2.0, REPL_ALL = 3.0, REDIS_VERSION = '7.0.0',
    REDIS_VERSION_NUM = 458752.0 }) do
  base.redis[name] = value
end
base.cjson, base.cmsgpack, base.bit = native.cjson, native.cmsgpack, native.bit
base.cjson.null = native.null

setmetatable(base, { __index = function(_, name)
  error("Script attempted to access nonexistent global variable '" .. native.tostring(name) .. "'", 2)
end })
local env = setmetatable({}, { __index = base, __newindex = function() error('Attempt to modify a readonly table', 2) end })
base._G = env

local function load_text(text, name)
  local chunk, message = load(native.floats(text), name or text, 't', env)
  if chunk then return chunk end
  return nil, message
end
base.loadstring = load_text
base.load = function(text, name)
  if type(text) == 'function' then
    local parts = {}
    for part in text do parts[#parts + 1] = part end
    text = table.concat(parts)
  end
  return load_text(text, name)
end

-- Compiles a script; gives it its keys and arguments.
return function(text)
  return load(native.floats(text), '@user_script', 't', env)
end, function(keys, args)
  rawset(base, 'KEYS', keys)
  rawset(base, 'ARGV', args)
end
`;
