// The batch: the loop over its events, the trace, and the functions that Python calls.

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

// Ends the run before the event at `cursor`: what has its outcome is handed back, the rest comes again.
function stop() {
  task = null
  generation++
  stopped = true
  progress[0] = lines.length
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
    const [kind, message, , , , path] = describe(error)
    fail(i, stageOf(error, 'decode'), -1, [kind, message, null, null, null, path], null)
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
    fail(i, stageOf(error, 'encode'), -1, describe(error), null)
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

// What reads the source and writes the target, before any code of a user is there; null, or why a schema cannot be used.
function openEnds() {
  const { source, target } = config
  let end = 'source'
  try {
    if (source.format in codecs) decode = openSource(codecs[source.format], source)
    end = 'target'
    encode = target.format in codecs ? openTarget(codecs[target.format], target) : encoders[target.format]
    return null
  } catch (error) {
    return { end, message: faultText(error) }
  }
}

return {
  progress,
  // Loads modules and closes the world; the answer is '' or why the program cannot run, as JSON.
  load(text) {
    config = parse(text)
    steps = config.steps
    stepCount = steps.length
    for (const path of ownKeys(config.modules)) sources.set(path, config.modules[path])
    logs = []
    const refused = openEnds()
    if (refused !== null) return stringify(refused)
    closeWorld()
    try {
      functions = steps.map(step => entryFunction(step.entry))
    } catch (error) {
      const [, message, file, line, column] = describe(error)
      return stringify({ end: null, message, file, line, column })
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
  // Makes the schema of a wire id known; '' or why its events cannot be read (`reason`: it is not to be tried).
  teach(id, text, reason) {
    return sourceCodec === null ? '' : teachWriter(id, text, reason)
  },
  // Answers the result's text, 0 (the text does not hold `count` events), or 1 (waits: call `poll`).
  run(text, count, flags, columnsText) {
    if (!reset(text, count, flags, columnsText)) return 0
    return go(loop, -1)
  },
  // After the microtasks have run dry: a promise that is still pending never settles.
  poll(enough) {
    if (enough && cursor > 0) return go(stop)
    if (task !== null && task.waiting !== null && !paused)
      failTask(task, 'step', task.waiting.step, ['timeout', 'the promise never settles: nothing is left that could settle it', null, null, null])
    return go(loop)
  },
  // After a time limit ended a call: the event it began with is guilty, any other is tried again with the full time.
  // A limit of 0 says that the call ended for another reason: nobody is guilty.
  interrupted(limit, enough) {
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
    return go(enough && cursor > 0 ? stop : loop)
  },
}
