// The half of the engine that lives inside V8: loads the user's modules, runs batches through the steps, keeps the results.
//
// One expression that evaluates to the functions Python calls. Everything it needs is captured before user code is
// loaded and before the built-ins are frozen, so nothing a step does to its world reaches this code.
//
// The rule that makes interruption safe: V8 stops a script only at calls and loop edges, so an event is settled by
// straight-line code that ends with `cursor = i + 1`. Whatever was not reached has not happened.
(() => {
  'use strict'
  const { parse, stringify, rawJSON } = JSON
  const { freeze, defineProperty, getOwnPropertyDescriptor, getPrototypeOf, preventExtensions, fromEntries, entries } = Object
  const { ownKeys, apply, construct } = Reflect
  const { isArray } = Array
  const { isSafeInteger } = Number
  const { isError } = Error
  const { now } = Date
  const { max } = Math
  const evaluate = eval
  const StringOf = String
  const BigIntOf = BigInt
  const then = Promise.prototype.then
  const resolved = Promise.resolve.bind(Promise)
  const wellFormed = Function.prototype.call.bind(String.prototype.toWellFormed)
  const isWellFormed = Function.prototype.call.bind(String.prototype.isWellFormed)
  const sliceText = Function.prototype.call.bind(String.prototype.slice)
  const splitText = Function.prototype.call.bind(String.prototype.split)
  const findText = Function.prototype.call.bind(String.prototype.indexOf)
  const codeAt = Function.prototype.call.bind(String.prototype.charCodeAt)
  const joinList = Function.prototype.call.bind(Array.prototype.join)
  const testPattern = Function.prototype.call.bind(RegExp.prototype.test)
  const sourceOf = Function.prototype.call.bind(Function.prototype.toString)
  const integerText = Function.prototype.call.bind(BigInt.prototype.toString)

  const SEPARATOR = '\x1e' // RFC 7464's record separator: cannot occur in JSON
  const MESSAGE_CHARACTERS = 4096
  const LOG_CHARACTERS = 2000
  const LOG_LINES = 100
  const DIGITS = 4096 // longer integers are refused: reading them takes quadratic time
  const DEPTH = 1000 // where widely used JSON readers give up: deeper is poison for whoever consumes it
  const ASYNC_SLICE_MS = 100
  // 16 digits in a row may be past 2^53; an exponent of three digits may be past what a double holds
  const DELICATE = /\d{16}|(?:^|[:,[\s])-?\d[\d.]*[eE]\+?\d{3}/
  const INTEGER = /^-?\d+$/

  // progress[0]: the event being run, or their number when none is; progress[1]: its step. Read by Python when the isolate
  // no longer answers. Python sets progress[0] to -1 before each batch: as long as it is, the batch is not taken.
  const progress = new Int32Array(new SharedArrayBuffer(8))

  let config, steps, functions, stepCount, usesContext, isFilter
  const sources = new Map()
  const required = new Map() // per module, the paths it has required
  const modules = new Map()

  // ---- the batch being run -------------------------------------------------------------------------------------
  let lines, delicate, columns, timed
  let cursor = 0 // everything below is settled
  let callStart = -1 // the event that the current call began with, for "timed out at its first event"; -1: with more than that
  let outs, outputCharacters, halted, stopped
  let failures, kept, specials // by event, so that settling one again changes nothing
  let logs, logsDropped
  let plainEvents, filteredAt, failedAt, tasks, stepTicks, timedEvents
  let task = null // the event that left the fast path
  let generation = 0 // promises of events that are already settled are ignored
  let sliceEnd = 0
  let paused = false
  let trace = null

  // ---- text ----------------------------------------------------------------------------------------------------
  const clean = (text, limit) => wellFormed(text.length > limit ? sliceText(text, 0, limit) + '…' : text)

  function typeName(value) {
    if (value === null) return 'null'
    if (isArray(value)) return 'an array'
    if (typeof value === 'object') return 'an object'
    return typeof value === 'undefined' ? 'undefined' : `a ${typeof value}`
  }

  // How console and messages show a value; never throws.
  function show(value) {
    try {
      if (typeof value === 'string') return value
      if (isError(value)) return StringOf(value.stack)
      if (typeof value === 'object' && value !== null) return stringify(value) ?? StringOf(value)
      return typeof value === 'bigint' ? `${integerText(value)}n` : StringOf(value)
    } catch {
      return typeof value === 'object' ? '[an object that cannot be shown]' : `[${typeName(value)}]`
    }
  }

  // ---- errors --------------------------------------------------------------------------------------------------
  const places = new WeakMap()
  const remember = places.set.bind(places)
  const placeOf = places.get.bind(places)
  const memoryErrors = new WeakSet()
  const isMemoryError = memoryErrors.has.bind(memoryErrors)
  const addMemoryError = memoryErrors.add.bind(memoryErrors)
  const WRAPPER = '(function (exports, require, module, __filename, __dirname) {'

  Error.stackTraceLimit = 20
  // Frames of this harness are hidden; the first frame in a file of the user is remembered as the error's place.
  Error.prepareStackTrace = (error, sites) => {
    let text = ''
    try {
      text = `${error.name}: ${error.message}`
    } catch { /* a getter that throws */ }
    let place
    for (let n = 0; n < sites.length; n++) {
      const file = sites[n].getScriptNameOrSourceURL()
      if (!sources.has(file)) continue
      const line = sites[n].getLineNumber()
      const column = sites[n].getColumnNumber() - (line === 1 ? WRAPPER.length : 0)
      place ??= [file, line, column]
      text += `\n    at ${sites[n].getFunctionName() ?? '(anonymous)'} (${file}:${line}:${column})`
    }
    if (place && typeof error === 'object') remember(error, place)
    return text
  }

  // What was thrown, as [kind, message, file, line, column]; the thrown value may be hostile.
  function describe(thrown) {
    let message
    let place
    let kind = 'exception'
    try {
      if (isError(thrown)) {
        void thrown.stack
        place = placeOf(thrown)
        if (isMemoryError(thrown)) kind = 'memory'
        const name = StringOf(thrown.name)
        const text = StringOf(thrown.message)
        message = text ? `${name}: ${text}` : name
      } else {
        message = `thrown: ${show(thrown)}`
      }
    } catch {
      message = 'an error that cannot be shown was thrown'
    }
    return place ? [kind, clean(message, MESSAGE_CHARACTERS), ...place] : [kind, clean(message, MESSAGE_CHARACTERS), null, null, null]
  }

  // ---- decoding and encoding -----------------------------------------------------------------------------------
  function exactNumber(_key, value, context) {
    if (typeof value !== 'number' || isSafeInteger(value)) return value
    const source = context.source
    if (source === undefined) return value
    if (testPattern(INTEGER, source)) {
      if (source.length > DIGITS) throw new SyntaxError(`an integer of ${source.length} digits; at most ${DIGITS} are read`)
      return BigIntOf(source)
    }
    if (value === Infinity || value === -Infinity) throw new SyntaxError(`the number ${source} is too large for a double`)
    return value
  }
  defineProperty(BigInt.prototype, 'toJSON', { value() { return rawJSON(integerText(this)) }, writable: true, configurable: true })

  const decode = line => delicate && testPattern(DELICATE, line) ? parse(line, exactNumber) : parse(line)

  // Whether JSON text opens so many objects and arrays that it may be too deep: a native search, a hop for each.
  function opensOften(text) {
    let opened = 0
    for (const bracket of ['{', '[']) {
      for (let at = findText(text, bracket); at >= 0 && opened <= DEPTH; at = findText(text, bracket, at + 1)) opened++
    }
    return opened > DEPTH
  }

  function isTooDeep(text) {
    let depth = 0
    for (let at = 0; at < text.length; at++) {
      const code = codeAt(text, at)
      if (code === 0x22) {
        while (codeAt(text, ++at) !== 0x22) if (codeAt(text, at) === 0x5c) at++
      } else if (code === 0x7b || code === 0x5b) {
        if (++depth > DEPTH) return true
      } else if (code === 0x7d || code === 0x5d) depth--
    }
    return false
  }

  const encoders = {
    json(value) {
      const text = stringify(value)
      if (text === undefined) throw new TypeError(`the result is ${typeName(value)}, which JSON cannot hold`)
      if (text.length > 2 * DEPTH && opensOften(text) && isTooDeep(text))
        throw new RangeError(`the result is nested deeper than ${DEPTH} levels, which readers of JSON refuse`)
      return text
    },
    // one JSON string an event, decoded in Python
    string(value) {
      if (typeof value === 'object' || typeof value === 'function' || typeof value === 'symbol')
        throw new TypeError(`the target's format is string, but the result is ${typeName(value)}; return a string`)
      const text = StringOf(value)
      if (!isWellFormed(text)) throw new TypeError('the result holds half of a surrogate pair, which UTF-8 cannot hold')
      return stringify(text)
    },
    bytes(value) {
      if (typeof value !== 'string') throw new TypeError(`the target's format is bytes, but the result is ${typeName(value)}; return a base64 string`)
      return stringify(value)
    },
  }
  let encode

  // ---- context -------------------------------------------------------------------------------------------------
  const END = freeze({ toString: () => 'the event has ended; do not catch this' })
  class Split {
    constructor(parts) { this.parts = parts }
  }
  let enterStep, endOf, changesOf, branch

  const headerText = (name, value) => {
    if (typeof value === 'string') return value
    if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return StringOf(value)
    if (value === null) return null
    throw new TypeError(`the header ${name} must be a string or an array of strings, not ${typeName(value)}`)
  }
  // An object of name to string or array, as a list of [name, [values]]
  function headerList(object, what) {
    if (object === null || object === undefined) return []
    if (typeof object !== 'object' || isArray(object)) throw new TypeError(`context.${what} must be an object of name to string or array, not ${typeName(object)}`)
    const list = []
    for (const [name, value] of entries(object)) {
      if (value === undefined) continue
      const values = []
      if (isArray(value)) for (let n = 0; n < value.length; n++) values[n] = headerText(name, value[n])
      else values[0] = headerText(name, value)
      list[list.length] = [wellFormed(name), values.map(text => text === null ? null : wellFormed(text))]
    }
    return list
  }
  // Source headers [[name, text, binary]…] as the object of one kind
  function headerObject(source, binary) {
    const found = new Map()
    for (const [name, text, isBinary] of source) {
      if (isBinary !== binary) continue
      if (found.has(name)) {
        const before = found.get(name)
        found.set(name, isArray(before) ? [...before, text] : [before, text])
      } else found.set(name, text)
    }
    return fromEntries(found)
  }

  class Context {
    #i
    #step = 0
    #end = null
    #key = undefined
    #keyBinary = undefined
    #headers = undefined
    #headersBinary = undefined
    #headersBefore = ''
    constructor(i) { this.#i = i }
    get topic() { return columns.topic }
    get partition() { return columns.partitions[this.#i] }
    get offset() { return columns.offsets[this.#i] }
    get timestamp() { return columns.timestamps[this.#i] }
    get pipeline() { return config.pipeline }
    get revision() { return config.revision }
    get step() { return steps[this.#step].name }
    get params() { return steps[this.#step].params }
    get key() {
      if (this.#key !== undefined) return this.#key
      return this.#keyBinary === undefined ? columns.keys[this.#i] : null
    }
    set key(value) {
      if (value !== null && value !== undefined && typeof value !== 'string') throw new TypeError(`context.key must be a string or null, not ${typeName(value)}`)
      this.#key = value === undefined ? null : value
      this.#keyBinary = undefined
    }
    get keyBinary() {
      if (this.#keyBinary !== undefined) return this.#keyBinary
      return this.#key === undefined ? columns.binaryKeys?.[this.#i] : undefined
    }
    set keyBinary(value) {
      if (typeof value !== 'string') throw new TypeError(`context.keyBinary must be a base64 string, not ${typeName(value)}`)
      this.#keyBinary = value
      this.#key = undefined
    }
    #readHeaders() {
      if (this.#headersBefore !== '') return
      const source = columns.headers?.[this.#i] ?? []
      this.#headers = headerObject(source, false)
      this.#headersBinary = headerObject(source, true)
      this.#headersBefore = stringify([headerList(this.#headers, 'headers'), headerList(this.#headersBinary, 'headersBinary')])
    }
    get headers() { this.#readHeaders(); return this.#headers }
    set headers(value) { this.#readHeaders(); this.#headers = value }
    get headersBinary() { this.#readHeaders(); return this.#headersBinary }
    set headersBinary(value) { this.#readHeaders(); this.#headersBinary = value }
    filter(reason) { this.#finish('filter', reason) }
    reject(reason) { this.#finish('reject', reason) }
    tombstone() { this.#finish('tombstone') }
    split(parts) {
      if (!isArray(parts)) throw new TypeError(`context.split takes an array of events, not ${typeName(parts)}`)
      return new Split([...parts])
    }
    #finish(kind, reason) {
      this.#end ??= [kind, reason === undefined ? null : clean(show(reason), MESSAGE_CHARACTERS)]
      throw END
    }
    static {
      enterStep = (context, step) => { context.#step = step }
      endOf = context => context.#end
      // [key, headers] as they leave: 0 is unchanged, [text, isBinary], [[name, values], …] text and binary
      changesOf = context => {
        let key = 0
        if (context.#keyBinary !== undefined) {
          if (context.#keyBinary !== columns.binaryKeys?.[context.#i]) key = [context.#keyBinary, 1]
        } else if (context.#key !== undefined && (context.#key !== columns.keys[context.#i] || columns.binaryKeys?.[context.#i] !== undefined)) {
          key = [context.#key === null ? null : wellFormed(context.#key), 0]
        }
        if (context.#headersBefore === '') return key === 0 ? null : [key, 0]
        const headers = [headerList(context.#headers, 'headers'), headerList(context.#headersBinary, 'headersBinary')]
        const changed = stringify(headers) !== context.#headersBefore
        return key === 0 && !changed ? null : [key, changed ? headers : 0]
      }
      branch = context => {
        const copy = new Context(context.#i)
        copy.#key = context.#key
        copy.#keyBinary = context.#keyBinary
        if (context.#headersBefore !== '') {
          copy.#headersBefore = context.#headersBefore
          copy.#headers = { ...context.#headers }
          copy.#headersBinary = { ...context.#headersBinary }
        }
        return copy
      }
      delete Context.prototype.constructor
    }
  }

  // A step that cannot see a second argument is spared the context.
  function mayReadContext(fn) {
    const source = sourceOf(fn)
    if (fn.length >= 2 || source.includes('[native code]') || source.includes('arguments') || source.startsWith('class')) return true
    const arrow = source.indexOf('=>')
    const brace = source.indexOf('{')
    const head = arrow >= 0 && (brace < 0 || arrow < brace) ? source.slice(0, arrow) : source
    return head.includes('...') || head.includes('=')
  }

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

  // ---- settling an event ---------------------------------------------------------------------------------------
  const isThenable = value => typeof value.then === 'function'

  // Ends event i as failed. With on_error: stop the run ends before it.
  function fail(i, stage, step, [kind, message, file, line, column], from) {
    const failure = [i, stage, kind, step, message, file ?? (step >= 0 ? steps[step].entry : null), line, column]
    const stop = step >= 0 ? steps[step].stop : config.stop
    failures.set(i, failure)
    if (stop) { halted = true; return }
    if (from === null) {
      if (stage !== 'decode') plainEvents++
      if (step >= 0) failedAt[step]++
    } else tasks.set(i, from)
    outs[i] = ''
    cursor = i + 1
  }

  // An event off the fast path: parts waiting to go on (last first), and what has left the steps so far.
  const FILTERED = 1
  const OK = 2
  const FAILED = 3
  const STATE_COLUMN = [, 1, 0, 2] // counts are [ok, filtered, failed]
  const newTask = (i, step) => {
    const states = new Array(stepCount).fill(0)
    for (let s = 0; s < step; s++) states[s] = OK
    return { i, states, frames: [], waiting: null, parts: [], reason: null, filteredBy: -1 }
  }
  const mark = (current, step, state) => { if (current.states[step] < state) current.states[step] = state }

  function failTask(current, stage, step, description) {
    if (step >= 0) mark(current, step, FAILED)
    task = null
    generation++
    if (trace !== null) trace.finish('failed', undefined)
    fail(current.i, stage, step, description, current)
  }

  function runStep(frame) {
    const { step } = frame
    progress[1] = step
    if (usesContext[step]) {
      frame.context ??= new Context(task.i)
      enterStep(frame.context, step)
    }
    const started = timed ? now() : 0
    try {
      return usesContext[step] ? functions[step](frame.value, frame.context) : functions[step](frame.value)
    } finally {
      if (timed) stepTicks[step] += now() - started
    }
  }

  const hasEnded = frame => frame.context !== null && endOf(frame.context) !== null

  // Runs the task until it is settled (false) or waits for a promise (true).
  function advance() {
    while (task !== null && task.frames.length > 0) {
      const current = task
      const frame = current.frames.pop()
      if (frame.step >= stepCount) {
        leave(current, frame)
        continue
      }
      let result
      let waits = false
      if (trace !== null) trace.begin(frame)
      try {
        result = runStep(frame)
        waits = result !== null && (typeof result === 'object' || typeof result === 'function') && isThenable(result) && !hasEnded(frame)
      } catch (error) {
        catchStep(current, frame, error)
        continue
      }
      if (!waits) applyResult(current, frame, result)
      else if (waitFor(current, frame, result)) return true
    }
    if (task !== null) commitTask(task)
    return false
  }

  // True when the task waits; false when attaching to the thenable has already failed.
  function waitFor(current, frame, thenable) {
    current.waiting = frame
    const mine = ++generation
    try {
      apply(then, resolved(thenable), [
        value => { if (mine === generation) settle(true, value) },
        error => { if (mine === generation) settle(false, error) },
      ])
      return true
    } catch (error) {
      current.waiting = null
      catchStep(current, frame, error)
      return false
    }
  }

  // A promise has settled: the run goes on from here, inside the microtask.
  function settle(fulfilled, value) {
    generation++
    const current = task
    const frame = current.waiting
    current.waiting = null
    if (fulfilled) applyResult(current, frame, value)
    else catchStep(current, frame, value)
    if (advance()) return
    if (now() >= sliceEnd) paused = true
    else loop()
  }

  function catchStep(current, frame, error) {
    if (hasEnded(frame)) applyResult(current, frame, undefined)
    else failTask(current, 'step', frame.step, describe(error))
  }

  function applyResult(current, frame, result) {
    const { step } = frame
    const end = frame.context === null ? null : endOf(frame.context)
    if (end !== null) {
      const [kind, reason] = end
      if (kind === 'reject') {
        failTask(current, 'step', step, ['rejected', reason ?? 'rejected', null, null, null])
        return
      }
      if (kind === 'tombstone') {
        mark(current, step, OK)
        if (trace !== null) trace.finish('ok', null)
        leave(current, frame, true)
        return
      }
      filterPart(current, step, reason)
      return
    }
    if (!result) filterPart(current, step, null)
    else if (result instanceof Split) {
      if (trace !== null) trace.finish(result.parts.length > 0 ? 'ok' : 'filtered', result.parts)
      splitPart(current, frame, result.parts)
    } else {
      mark(current, step, OK)
      if (!isFilter[step] || typeof result === 'object') frame.value = result
      frame.step = step + 1
      current.frames.push(frame)
      if (trace !== null) trace.finish('ok', frame.value)
    }
  }

  function splitPart(current, frame, parts) {
    const { step, context } = frame
    let left = 0
    for (let n = parts.length - 1; n >= 0; n--) {
      if (!parts[n]) continue
      left++
      current.frames.push({ value: parts[n], step: step + 1, context: context === null ? null : branch(context) })
    }
    mark(current, step, left > 0 ? OK : FILTERED)
    if (left === 0) current.filteredBy = step
  }

  function filterPart(current, step, reason) {
    mark(current, step, FILTERED)
    current.filteredBy = step
    current.reason = reason
    if (trace !== null) trace.finish('filtered', undefined)
  }

  function leave(current, frame, tombstone = false) {
    progress[1] = stepCount
    try {
      const changes = frame.context === null ? null : changesOf(frame.context)
      const text = tombstone ? null : encode(frame.value)
      outputCharacters += text === null ? 0 : text.length
      current.parts.push([text, changes])
    } catch (error) {
      failTask(current, 'encode', -1, describe(error))
    }
  }

  function commitTask(current) {
    const { i, parts } = current
    const plain = parts.length === 1 && parts[0][0] !== null && parts[0][1] === null
    const special = plain || parts.length === 0 ? null : [i, parts]
    const keep = parts.length === 0 && (trace !== null || steps[current.filteredBy].keep) ? [i, current.filteredBy, current.reason] : null
    const text = plain ? parts[0][0] : ''
    task = null
    generation++
    if (special !== null) specials.set(i, special)
    if (keep !== null) kept.set(i, keep)
    tasks.set(i, current)
    outs[i] = text
    cursor = i + 1
  }

  // ---- the loop ------------------------------------------------------------------------------------------------
  // Runs events from `cursor` on; true when the run has ended, false when it waits for a promise.
  function loop() {
    const total = lines.length
    const limit = config.outputCharacters
    while (cursor < total && !halted) {
      if (outputCharacters > limit) { stopped = true; break }
      if (runEvent(cursor)) return false
    }
    progress[0] = total
    return true
  }

  // One event; true when it waits for a promise. Everything usual is in here: no allocation but the event itself.
  function runEvent(i) {
    progress[0] = i
    progress[1] = -1
    const line = lines[i]
    if (line === '') { // settled in Python
      outs[i] = ''
      cursor = i + 1
      return false
    }
    let value
    try {
      value = decode(line)
    } catch (error) {
      const [kind, message] = describe(error)
      fail(i, 'decode', -1, [kind, message, null, null, null], null)
      return false
    }
    if (trace !== null || timed) return startTask(i, value)
    let step = 0
    let context = null
    try {
      for (; step < stepCount; step++) {
        progress[1] = step
        let result
        if (usesContext[step]) {
          context ??= new Context(i)
          enterStep(context, step)
          result = functions[step](value, context)
          if (endOf(context) !== null) return finishEarly(i, step, value, context, undefined)
        } else result = functions[step](value)
        if (!result) {
          const keep = steps[step].keep
          plainEvents++
          filteredAt[step]++
          if (keep) kept.set(i, [i, step, null])
          outs[i] = ''
          cursor = i + 1
          return false
        }
        if (result === value) continue
        if (typeof result === 'object' || typeof result === 'function') {
          if (result instanceof Split || isThenable(result)) return finishEarly(i, step, value, context, result)
          if (!isFilter[step] || typeof result === 'object') value = result
        } else if (!isFilter[step]) value = result
      }
    } catch (error) {
      if (context !== null && endOf(context) !== null) return finishEarly(i, step, value, context, undefined)
      fail(i, 'step', step, describe(error), null)
      return false
    }
    return finish(i, value, context)
  }

  function finish(i, value, context) {
    let text
    progress[1] = stepCount
    try {
      if (context !== null && changesOf(context) !== null) return leaveChanged(i, value, context)
      text = encode(value)
    } catch (error) {
      fail(i, 'encode', -1, describe(error), null)
      return false
    }
    outputCharacters += text.length
    plainEvents++
    outs[i] = text
    cursor = i + 1
    return false
  }

  function leaveChanged(i, value, context) {
    task = newTask(i, stepCount)
    task.frames.push({ value, step: stepCount, context })
    return advance()
  }

  // A step's result that needs the task: ended by the context, split, or a promise.
  function finishEarly(i, step, value, context, result) {
    const current = task = newTask(i, step)
    const frame = { value, step, context }
    if (result === undefined || result instanceof Split) applyResult(current, frame, result)
    else if (waitFor(current, frame, result)) return true
    return advance()
  }

  // Traced and timed events run as tasks from the start. The clock ticks in milliseconds: its sum over thousands of
  // events is an honest figure, a single difference is not.
  function startTask(i, value) {
    if (timed) timedEvents++
    task = newTask(i, 0)
    task.frames.push({ value, step: 0, context: null })
    return advance()
  }

  // ---- trace (the test page): every step's event before and after ----------------------------------------------
  function snapshot(value) {
    if (value === undefined) return null
    try {
      return stringify(value) ?? stringify(show(value))
    } catch {
      return stringify(show(value))
    }
  }
  function newTrace() {
    const list = []
    const self = {
      list,
      current: null,
      started: 0,
      begin(frame) {
        self.current = { step: frame.step, status: 'ok', before: snapshot(frame.value), after: null, logs: [], duration: 0 }
        self.started = now()
      },
      finish(status, after) {
        const { current } = self
        if (current === null) return
        current.status = status
        current.after = status === 'ok' ? snapshot(after) : null
        current.duration = now() - self.started
        list.push(current)
        self.current = null
      },
    }
    return self
  }

  // ---- what Python calls ---------------------------------------------------------------------------------------
  function reset(text, count, flags, columnsText) {
    lines = splitText(text, SEPARATOR)
    if (lines.length !== count) return false
    delicate = (flags & 1) !== 0
    timed = (flags & 2) !== 0
    columns = columnsText === '' ? null : parse(columnsText)
    trace = config.trace ? newTrace() : null
    outs = new Array(count)
    cursor = 0
    outputCharacters = 0
    halted = stopped = paused = false
    failures = new Map()
    kept = new Map()
    specials = new Map()
    tasks = new Map()
    logs = []
    logsDropped = 0
    plainEvents = timedEvents = 0
    filteredAt = new Array(stepCount).fill(0)
    failedAt = new Array(stepCount).fill(0)
    stepTicks = new Array(stepCount).fill(0)
    task = null
    generation++
    progress[0] = 0 // last: a batch that is taken is taken whole
    return true
  }

  function go(proceed, first = cursor) {
    callStart = first
    sliceEnd = now() + ASYNC_SLICE_MS
    paused = false
    return proceed() ? result() : 1
  }

  function stepCounts() {
    const counts = []
    let reached = plainEvents
    for (let s = 0; s < stepCount; s++) {
      reached -= filteredAt[s] + failedAt[s]
      counts[s] = [reached, filteredAt[s], failedAt[s]]
    }
    for (const [i, { states }] of tasks) {
      if (i < cursor) for (let s = 0; s < stepCount; s++) if (states[s] > 0) counts[s][STATE_COLUMN[states[s]]]++
    }
    return counts
  }

  function filteredEvents() {
    let count = 0
    for (let s = 0; s < stepCount; s++) count += filteredAt[s]
    for (const [i, { parts }] of tasks) if (i < cursor && parts.length === 0 && !failures.has(i)) count++
    return count
  }

  // The run so far: outputs joined by U+001E, and one JSON document about the rest as the last part.
  function result() {
    const meta = stringify({
      done: cursor, filtered: filteredEvents(), halted, stopped, failures: [...failures.values()], kept: [...kept.values()], specials: [...specials.values()],
      logs, logsDropped, steps: stepCounts(), ticks: timedEvents > 0 ? [timedEvents, stepTicks] : null,
      trace: trace === null ? null : trace.list,
    })
    if (cursor < outs.length) outs.length = cursor
    outs[cursor] = meta
    return joinList(outs, SEPARATOR)
  }

  return {
    progress,
    // Loads modules and closes the world; the answer is '' or why the program cannot run, as JSON.
    load(text) {
      config = parse(text)
      steps = config.steps
      stepCount = steps.length
      encode = encoders[config.targetFormat]
      for (const path of ownKeys(config.modules)) sources.set(path, config.modules[path])
      logs = []
      closeWorld()
      try {
        functions = steps.map(step => entryFunction(step.entry))
      } catch (error) {
        const [, message, file, line, column] = describe(error)
        return stringify({ message, file, line, column })
      } finally {
        loading = false
      }
      usesContext = functions.map(mayReadContext)
      isFilter = steps.map(step => step.kind === 'filter')
      for (const step of steps) freezeDeep(step.params)
      return usesContext.includes(true) ? 'context' : ''
    },
    // Loads one file and tells what it exports (for the compiler): its words about itself, or a fault.
    inspect(path, functionNeeded) {
      loading = true
      const text = value => typeof value === 'string' ? clean(value, MESSAGE_CHARACTERS) : ''
      try {
        const exported = loadModule(path)
        if (functionNeeded) entryFunction(path)
        const found = exported === null || typeof exported !== 'object' && typeof exported !== 'function' ? {} : exported
        const about = typeof found.default === 'object' || typeof found.default === 'function' ? { ...found.default, ...found } : found
        const params = functionNeeded && typeof about.params === 'object' && about.params !== null ? about.params : null
        return stringify({ title: text(about.title), description: text(about.description), params, requires: [...required.get(path) ?? []] })
      } catch (error) {
        const [, message, file, line, column] = describe(error)
        return stringify({ message, file: file ?? path, line, column })
      }
    },
    // Answers the result's text, 0 (the text does not hold `count` events), or 1 (waits: call `poll`).
    run(text, count, flags, columnsText) {
      if (!reset(text, count, flags, columnsText)) return 0
      return go(loop, -1)
    },
    // After the microtasks have run dry: a promise that is still pending never settles.
    poll() {
      if (task !== null && task.waiting !== null && !paused)
        failTask(task, 'step', task.waiting.step, ['timeout', 'the promise never settles: nothing is left that could settle it', null, null, null])
      return go(loop)
    },
    // After a time limit ended a call: the event it began with is guilty, any other is tried again with the full time.
    // A limit of 0 says that the call ended for another reason: nobody is guilty.
    interrupted(limit) {
      if (limit > 0 && cursor < lines.length && cursor === callStart && progress[0] === cursor) {
        const step = progress[1]
        const stage = step < 0 ? 'decode' : step < stepCount ? 'step' : 'encode'
        const at = stage === 'step' ? step : -1
        task ??= newTask(cursor, max(0, step))
        failTask(task, stage, at, ['timeout', `more than ${limit} ms for one event (limits.timeout_ms)`, null, null, null])
      } else {
        task = null
        generation++
      }
      return go(loop)
    },
  }
})()
//# sourceURL=inflect:harness
