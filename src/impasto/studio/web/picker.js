// The gallery: styles as pictures, one of them chosen.
const { el } = window.impasto;
const grid = element.querySelector(".picker-grid");
let drawn = "";
// What the visitor chose last: an answer of the server that was on its way meanwhile does not undo it.
let chosen = props.value?.chosen;

function choose(id) {
  chosen = id;
  props.value = { ...props.value, chosen: id };
  if (window.impasto.busy && document.querySelector(".easel[data-state=full]")) window.impasto.busy(true);
  trigger("select");
}

function card(style) {
  const input = el("input", { type: "radio", name: "style", value: style.id, className: "unseen" });
  input.addEventListener("change", () => choose(style.id));
  const label = el("label", { className: "swatch", title: style.by ? `${style.title} – ${style.by}` : style.title });
  label.append(input, el("img", { alt: "", loading: "lazy" }), el("span", {}, style.title));
  return label;
}

function show() {
  const { styles = [], ...told } = props.value ?? {};
  if (told.force || !styles.some((style) => style.id === chosen)) chosen = told.chosen;
  if (told.force || told.chosen !== chosen) props.value = { styles, chosen };
  const ids = JSON.stringify(styles.map((style) => [style.id, style.title]));
  if (ids !== drawn) {
    grid.replaceChildren(...styles.map(card));
    drawn = ids;
  }
  styles.forEach((style, number) => {
    const label = grid.children[number];
    const image = label.querySelector("img");
    if (style.picture && image.getAttribute("src") !== style.picture) image.src = style.picture;
    label.querySelector("input").checked = style.id === chosen;
  });
}
watch("value", show);
show();
