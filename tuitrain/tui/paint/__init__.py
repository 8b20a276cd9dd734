"""The drawing kit: everything on a screen that is more than Textual's own widgets is drawn with it.

- `text`: a line is `Parts`, pieces of text, each with the names of its styles ("dim", "primary bold"). `Line`
  builds one column by column, `fit` brings a text to a width, `cut` and `wrap` bring parts to one.
- `styles`: what the names of styles mean. The table itself is in `theme.tcss`. `Painted` is a widget that
  paints parts.
- `cells`: widgets of one line (`Field`, `Bar`, `Spark`, `SectionLine`) and the large number.
- `head`: figures on top of a screen, one of them in large digits.
- `lines`: `LinesView`, the one list that scrolls; only lines that came out different are painted.
- `table`: `TableView`, such a list with a heading and a cursor.
- `bars`: shares and progress as text. `figures.sparkline` draws values.
- `digits`: images in half blocks. `pictures`: mistakes and kernels with it.
- `dots`: lines of braille dots, of which `plot` makes curves as text.
- `chart`, `axes`: curves over axes.
"""
