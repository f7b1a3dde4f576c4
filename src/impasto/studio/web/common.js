// What the page's parts share.
window.impasto = {
  // The choices beside the photo, as the server wants them; kept up to date by the page.
  look: null,

  el(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name in element && name !== "list") element[name] = value;
      else element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  },

  clock(seconds) {
    const whole = Math.max(0, Math.round(seconds));
    if (whole < 60) return `${whole} s`;
    const minutes = Math.floor(whole / 60);
    if (minutes < 60) return `${minutes}:${String(whole % 60).padStart(2, "0")} min`;
    return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")} h`;
  },

  size(bytes) {
    return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
  },

  // Why something failed, in words; what Gradio's client throws has several shapes.
  why(error) {
    const text = String(error?.message ?? error?.detail ?? error ?? "");
    return text.replace(/^(\w*Error: )+/, "").replace(/^HTTP \d+: /, "") || "the studio does not answer";
  },

  // Files that are dragged onto `zone` or chosen in its input go to `take`.
  takeFiles(zone, input, take) {
    const over = (on) => (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      zone.classList.toggle("over", on);
    };
    zone.addEventListener("dragover", over(true));
    zone.addEventListener("dragleave", over(false));
    zone.addEventListener("drop", (event) => {
      over(false)(event);
      if (event.dataTransfer?.files.length) take([...event.dataTransfer.files]);
    });
    input.addEventListener("change", () => {
      if (input.files.length) take([...input.files]);
      input.value = "";
    });
  },

  save(url, name) {
    const link = window.impasto.el("a", { href: url, download: name });
    document.body.append(link);
    link.click();
    link.remove();
  },

  shown(element) {
    return !document.hidden && element.offsetParent !== null;
  },
};
