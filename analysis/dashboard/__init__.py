"""A page in the browser to try policies by hand: ``talentflow dashboard``.

Mesa's own ``SolaraViz`` is not used. It takes the model and its sliders when the page is made,
while here the sliders are those of whichever scenario is picked; it makes the new model in the
handler of the button, on the thread that serves the page, where loading compiled kernels and
making a hundred thousand agents would freeze it; it can neither show how far a run has come nor
run a baseline beside it; and it draws agents on a grid, while ours are counted by city. So the page
is made of Solara components, as SolaraViz is. All that it knows and does is in modules without
Solara, which are tested without a browser: :mod:`~analysis.dashboard.library` (what may be read),
:mod:`~analysis.dashboard.dials` (numbers to move), :mod:`~analysis.dashboard.experiment` (the run,
off the page's thread), :mod:`~analysis.dashboard.desk` (the state) and
:mod:`~analysis.dashboard.shown` (what is on the page).
"""
