// The world a user's files live in: console, require, and everything else frozen or taken away.

// ---- console -------------------------------------------------------------------------------------------------
let loading = true
function print(level, values) {
  if (logs.length >= LOG_LINES && trace === null) { logsDropped++; return }
  let text = ''
  for (let n = 0; n < values.length && text.length < LOG_CHARACTERS; n++) text += (n ? ' ' : '') + show(values[n])
  const line = [loading ? -1 : cursor, loading ? -1 : progress[1], level, clean(text, LOG_CHARACTERS)]
  if (trace !== null && trace.current) trace.current.logs.push({ level, text: line[3] })
  else logs.push(line)
}
const levels = { log: 'info', info: 'info', debug: 'debug', trace: 'debug', dir: 'info', table: 'info', warn: 'warning', error: 'error' }
const userConsole = {}
for (const [method, level] of entries(levels)) userConsole[method] = (...values) => print(level, values)
userConsole.assert = (ok, ...values) => { if (!ok) print('error', ['Assertion failed', ...values]) }
for (const method of ['group', 'groupCollapsed', 'groupEnd', 'time', 'timeLog', 'timeEnd', 'count', 'countReset', 'clear']) userConsole[method] = () => {}

// ---- modules -------------------------------------------------------------------------------------------------
const ENDINGS = ['', '.js', '.mjs', '.cjs', '.json', '/index.js']
function resolveModule(from, request) {
  if (typeof request !== 'string') throw new TypeError(`require takes a path, not ${typeName(request)}`)
  if (!request.startsWith('./') && !request.startsWith('../') && request !== '.' && request !== '..')
    throw new Error(`cannot require '${request}': only relative files inside the processors directory ('./x', '../lib/x')`)
  const path = from.split('/').slice(0, -1)
  for (const part of request.split('/')) {
    if (part === '..') {
      if (path.length === 0) throw new Error(`cannot require '${request}': it is outside the processors directory`)
      path.pop()
    } else if (part !== '.' && part !== '') path.push(part)
  }
  const target = path.join('/')
  for (const ending of ENDINGS) if (sources.has(target + ending)) return target + ending
  throw new Error(`cannot find '${request}' (${target}.js) in the processors directory`)
}

function requireFrom(path, request) {
  const target = resolveModule(path, request)
  if (!required.has(path)) required.set(path, new Set())
  required.get(path).add(target)
  return loadModule(target)
}

function loadModule(path) {
  const known = modules.get(path)
  if (known !== undefined) return known.exports
  const module = { exports: {}, id: path, filename: path, loaded: false }
  const code = sources.get(path)
  modules.set(path, module)
  try {
    if (path.endsWith('.json')) module.exports = parse(code)
    else {
      const body = code.startsWith('#!') ? '//' + code.slice(2) : code
      const run = evaluate(`${WRAPPER}${body}\n})\n//# sourceURL=${path}`)
      const directory = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '.'
      apply(run, module.exports, [module.exports, request => requireFrom(path, request), module, path, directory])
    }
  } catch (error) {
    modules.delete(path)
    throw error
  }
  module.loaded = true
  return module.exports
}

function entryFunction(path) {
  const exported = loadModule(path)
  if (typeof exported === 'function') return exported
  if (exported !== null && typeof exported === 'object' && typeof exported.default === 'function') return exported.default
  throw new TypeError(`${path} exports ${typeName(exported)}, not a function; write module.exports = (event, context) => … or export default`)
}

// ---- the user's world ----------------------------------------------------------------------------------------
// Memory outside the JavaScript heap is not seen by the heap limit: one event may take `memory_mb` of it.
function limitBuffers(limit) {
  let event = -1
  let taken = 0
  const charge = bytes => {
    if (event !== progress[0]) { event = progress[0]; taken = 0 }
    taken += bytes
    if (taken <= limit) return
    const error = new RangeError(`more than ${limit >> 20} MB of buffers for one event (limits.memory_mb)`)
    addMemoryError(error)
    throw error
  }
  const { ArrayBuffer } = globalThis
  const lengthOf = value => typeof value === 'number' ? value : typeof value === 'object' && value !== null && !(value instanceof ArrayBuffer) ? value.length ?? 0 : 0
  const guard = (name, width) => {
    const original = globalThis[name]
    const guarded = new Proxy(original, {
      construct(target, args, newTarget) {
        charge(width * (width === 0 ? 0 : +lengthOf(args[0]) || 0))
        if (args[1]?.maxByteLength) charge(+args[1].maxByteLength)
        return construct(target, args, newTarget === guarded ? target : newTarget)
      },
    })
    original.prototype.constructor = guarded
    defineProperty(globalThis, name, { value: guarded, writable: true, configurable: true })
  }
  guard('ArrayBuffer', 1)
  for (const name of ['Int8', 'Uint8', 'Uint8Clamped']) guard(`${name}Array`, 1)
  for (const name of ['Int16', 'Uint16', 'Float16']) guard(`${name}Array`, 2)
  for (const name of ['Int32', 'Uint32', 'Float32']) guard(`${name}Array`, 4)
  for (const name of ['BigInt64', 'BigUint64', 'Float64']) guard(`${name}Array`, 8)
  // V8 fills a sparse giant in one stroke that no limit can interrupt
  const { fill } = Array.prototype
  defineProperty(Array.prototype, 'fill', {
    value: { fill(...args) {
      if (this != null && this.length > 50_000_000) throw new RangeError('Array.prototype.fill on more than 50,000,000 elements')
      return apply(fill, this, args)
    } }.fill,
    writable: true, configurable: true,
  })
}

// Frozen prototypes must not stop `event.toString = …` or `this.name = …` in a class of errors: assignments to
// inherited names make own properties, as they do where nothing is frozen.
function allowOverrides(prototype) {
  for (const name of ownKeys(prototype)) {
    const descriptor = getOwnPropertyDescriptor(prototype, name)
    if (!descriptor.configurable || !('value' in descriptor)) continue
    const { value } = descriptor
    defineProperty(prototype, name, {
      get() { return value },
      set(replacement) {
        if (this === prototype) throw new TypeError(`Cannot assign to read only property '${StringOf(name)}' of a built-in prototype`)
        defineProperty(this, name, { value: replacement, writable: true, enumerable: true, configurable: true })
      },
      enumerable: false, configurable: true,
    })
  }
}

function freezeDeep(root) {
  const seen = new Set()
  const work = [root]
  while (work.length > 0) {
    const object = work.pop()
    if ((typeof object !== 'object' && typeof object !== 'function') || object === null || seen.has(object)) continue
    seen.add(object)
    if (object !== globalThis) freeze(object)
    work.push(getPrototypeOf(object))
    for (const key of ownKeys(object)) {
      const descriptor = getOwnPropertyDescriptor(object, key)
      if ('value' in descriptor) work.push(descriptor.value)
      else work.push(descriptor.get, descriptor.set)
    }
  }
}

function closeWorld() {
  for (const name of ['setTimeout', 'clearTimeout', '__timer_manager', 'WebAssembly', 'SharedArrayBuffer', 'Atomics', 'FinalizationRegistry', 'WeakRef'])
    if (!Reflect.deleteProperty(globalThis, name)) globalThis[name] = undefined // mini-racer declares its timers with var
  defineProperty(globalThis, 'console', { value: userConsole, writable: true, configurable: true })
  limitBuffers(config.memoryBytes)
  for (const prototype of [Object.prototype, Error.prototype, EvalError.prototype, RangeError.prototype, ReferenceError.prototype, SyntaxError.prototype, TypeError.prototype, URIError.prototype, AggregateError.prototype])
    allowOverrides(prototype)
  for (const fn of [async () => {}, function* () {}, async function* () {}]) freezeDeep(fn)
  freezeDeep([][Symbol.iterator]())
  for (const prototype of [Split.prototype, Context.prototype]) freezeDeep(prototype)
  freezeDeep(globalThis)
  for (const key of ownKeys(globalThis)) {
    const descriptor = getOwnPropertyDescriptor(globalThis, key)
    if (descriptor.configurable) defineProperty(globalThis, key, 'value' in descriptor ? { writable: false, configurable: false } : { configurable: false })
  }
  // an undeclared variable is an error where it is read, not state that outlives its event
  preventExtensions(globalThis)
}
