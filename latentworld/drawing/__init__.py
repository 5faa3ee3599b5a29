"""What plots, sheets, films and pages draw alike: the style of a sheet, the globe, the chart, projections.

`canvas.js` is the same for scripts: the deck and the page of an atlas draw with it.
"""
