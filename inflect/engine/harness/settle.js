// One event off the fast path: split, ended by its context, waiting for a promise, traced or failed.

const isThenable = value => typeof value.then === 'function'

// Ends event i as failed. With on_error: stop the run ends before it.
function fail(i, stage, step, [kind, message, file, line, column, path = null], from) {
  const failure = [i, stage, kind, step, message, file ?? (step >= 0 ? steps[step].entry : null), line, column, path]
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
    failTask(current, stageOf(error, 'encode'), -1, describe(error))
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
