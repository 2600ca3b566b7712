// What the design page does beyond the form: it keeps what is being typed, follows a step that moves, and lets steps be
// dragged. The form creates and edits pipelines without this file.
'use strict'

document.documentElement.classList.add('scripted')
document.getElementById('preview').hidden = false

// What is changed while an answer is on its way stays. A check is then thrown away, since the next one is on its way
// already. What else was asked for (a step more, elsewhere) is shown, and the late changes are put back into it.
const late = new Map()
for (const kind of ['input', 'change']) {
  document.addEventListener(kind, (event) => {
    const field = event.target
    if (field.form && field.form.id === 'design') late.set(field.id, { value: field.value, checked: field.checked })
  })
}

const isPreview = (event) => (event.detail.requestConfig || event.detail).elt.id === 'preview-body'

// htmx adds the button that has the focus to whatever its form sends; a check presses none.
document.addEventListener('htmx:configRequest', (event) => {
  if (event.detail.elt.id !== 'design' && !isPreview(event)) return
  event.detail.formData.delete('edit')
  event.detail.formData.delete('do')
})

document.addEventListener('htmx:beforeRequest', (event) => { if (!isPreview(event)) late.clear() })

// In a check the field that has the focus keeps its text; steps that moved take their text along.
document.addEventListener('htmx:beforeSwap', (event) => {
  if (isPreview(event)) return
  const checks = event.detail.requestConfig.elt.id === 'design'
  if (checks && late.size) event.detail.shouldSwap = false
  Idiomorph.defaults.ignoreActiveValue = checks
})

document.addEventListener('htmx:afterSettle', (event) => {
  const request = event.detail.requestConfig  // none where numbers came by the stream
  if (!request || request.elt.id === 'design') return
  if (request.elt.id === 'preview-body') {
    if (document.querySelector('#previewed[data-busy]')) htmx.trigger(request.elt, 'retry')
    return
  }
  htmx.trigger('#preview-body', 'edited')
  const moved = document.querySelector('#design [autofocus]')
  if (moved) moved.focus()
  for (const [id, { value, checked }] of [...late]) {
    const field = document.getElementById(id)
    if (!field || (moved && id.startsWith('steps-'))) continue
    field.value = value
    if (field.type === 'checkbox') field.checked = checked
    field.dispatchEvent(new Event('change', { bubbles: true }))
  }
})

// A processor that is picked from the list, not typed, is added at once.
document.addEventListener('input', (event) => {
  if (event.target.id === 'add' && event.inputType === 'insertReplacementText') document.getElementById('adder').click()
})

// Keys: Alt and an arrow move the step that has the focus.
document.addEventListener('keydown', (event) => {
  const verb = { ArrowUp: 'up', ArrowDown: 'down' }[event.key]
  const step = verb && event.altKey && event.target.closest('[data-step]')
  const button = step && document.getElementById(`${verb}-${step.dataset.step}`)
  if (!button || button.disabled) return
  event.preventDefault()
  button.click()
})

// Dragging: the grip takes its step along; where it is dropped, the server puts it.
let dragged = null

const stepOf = (event) => event.target instanceof Element ? event.target.closest('#design [data-step]') : null

function clearMarks () {
  document.querySelectorAll('.drop-before, .drop-after').forEach((step) => step.classList.remove('drop-before', 'drop-after'))
}

document.addEventListener('dragstart', (event) => {
  const step = event.target instanceof Element && event.target.matches('.grip') ? stepOf(event) : null
  if (!step) return
  dragged = Number(step.dataset.step)
  event.dataTransfer.effectAllowed = 'move'
  event.dataTransfer.setData('text/plain', '')
  event.dataTransfer.setDragImage(step, 16, 16)
})

document.addEventListener('dragover', (event) => {
  const step = dragged === null ? null : stepOf(event)
  if (!step) return
  event.preventDefault()
  clearMarks()
  step.classList.add(Number(step.dataset.step) < dragged ? 'drop-before' : 'drop-after')
})

document.addEventListener('drop', (event) => {
  const step = dragged === null ? null : stepOf(event)
  if (!step || Number(step.dataset.step) === dragged) return
  event.preventDefault()
  const mover = document.getElementById('mover')
  mover.value = `move-${dragged}-${step.dataset.step}`
  mover.click()
})

document.addEventListener('dragend', () => {
  dragged = null
  clearMarks()
})
