"""
Hold the control page's style sheet.

Decides looks only; words tell every state, colour repeats it.
"""

CSS = """
:root { color-scheme: light dark; --line: #d0d5dd; --card: #fff; --back: #f4f5f7; --text: #1d2433;
  --quiet: #5b6475; --accent: #2455c3; --good: #146c3c; --bad: #b02a1e; }
@media (prefers-color-scheme: dark) { :root { --line: #394150; --card: #1c222d; --back: #12161d;
  --text: #e7eaf0; --quiet: #a3adbd; --accent: #8fb0ff; --good: #6fd79c; --bad: #ff9a8d; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 68rem; background: var(--back);
  color: var(--text); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { margin: 0; font-size: 1.6rem; }
h2 { margin: 1.2rem 0 .5rem; font-size: 1.2rem; }
h3 { margin: 0; font-size: 1.1rem; }
.card > h2 { margin-top: 0; }
p { margin: .4rem 0; }
.card, .notice { background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
  padding: 1rem; margin: 0 0 1rem; }
.cards { display: grid; gap: 0 1rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); }
.row { display: flex; flex-wrap: wrap; gap: .5rem 1.2rem; align-items: center; }
form { display: flex; flex-wrap: wrap; gap: .4rem; align-items: center; margin: 0; }
.list { list-style: none; margin: .8rem 0; padding: 0; }
.list li { display: flex; flex-wrap: wrap; gap: .4rem 1rem; justify-content: space-between;
  align-items: center; border-top: 1px solid var(--line); padding: .6rem 0; }
label { display: flex; gap: .4rem; align-items: center; }
input, select, button { font: inherit; color: inherit; background: var(--card);
  border: 1px solid var(--line); border-radius: .4rem; padding: .35rem .6rem; max-width: 100%; }
input[type=number] { width: 7rem; }
button { color: var(--accent); border-color: currentColor; cursor: pointer; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
progress { width: 100%; accent-color: var(--accent); }
.quiet { color: var(--quiet); font-size: .9rem; }
.state { border: 1px solid currentColor; border-radius: 1rem; padding: 0 .5rem; font-size: .85rem;
  color: var(--quiet); }
.good { color: var(--good); }
.bad { color: var(--bad); }
.notice { border-color: currentColor; }
.notice code { font-size: 1.1rem; user-select: all; white-space: pre-wrap; }
.stack { display: flex; flex-direction: column; gap: .6rem; align-items: flex-start; }
summary { cursor: pointer; color: var(--accent); margin: .6rem 0; }
a { color: var(--accent); }
td, th { text-align: left; padding: .1rem 1rem .1rem 0; font-weight: inherit; }
th { color: var(--quiet); }
"""
