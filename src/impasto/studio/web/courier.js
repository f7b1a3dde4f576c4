// Brings a finished file to the visitor.
let last = "";
watch("value", () => {
  window.impasto.fullDone?.();
  const { url, name } = props.value ?? {};
  if (!url || url === last) return;
  last = url;
  window.impasto.save(url, name);
});
