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

  // With a capital letter, but where a file's name comes first.
  sentence(text) {
    return /^[^ ]*[._]/.test(text) ? text : text.slice(0, 1).toUpperCase() + text.slice(1);
  },

  AWAY: "The studio does not answer; is it still running?",
  alive() {
    return fetch("gradio_api/startup-events", { cache: "no-store" }).then((answer) => answer.ok, () => false);
  },

  // Why something failed, in words; what Gradio's client throws has several shapes.
  why(error) {
    const text = String(error?.message ?? error?.detail ?? error ?? "");
    if (/Failed to fetch|NetworkError|Connection errored|Load failed/.test(text)) return "the studio does not answer; is it still running?";
    return text.replace(/^(\w*Error: )+/, "").replace(/^HTTP \d+: /, "") || "the studio does not answer";
  },

  // The files of a drop, and those in its folders; what the system keeps for itself is left where it is.
  async dropped(data) {
    const entries = [...data.items].map((item) => item.webkitGetAsEntry?.());
    if (!entries.some((entry) => entry?.isDirectory)) return [...data.files];
    const files = [];
    const walk = async (entry) => {
      if (/^(\.|thumbs\.db$|desktop\.ini$)/i.test(entry.name)) return;
      if (entry.isFile) return files.push(await new Promise((done, failed) => entry.file(done, failed)));
      const reader = entry.createReader();
      const some = () => new Promise((done, failed) => reader.readEntries(done, failed));
      for (let found = await some(); found.length; found = await some()) {
        for (const one of found) await walk(one);
      }
    };
    for (const entry of entries) if (entry) await walk(entry).catch(() => {});
    return files;
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
      if (event.dataTransfer?.files.length) window.impasto.dropped(event.dataTransfer).then(take);
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

// A file that is dropped beside its place must not take the page away.
for (const kind of ["dragover", "drop"]) {
  window.addEventListener(kind, (event) => {
    if (event.defaultPrevented || !event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "none";
  });
}
