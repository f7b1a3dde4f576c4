// The browser's camera: each frame goes to the studio, the next one when it has come back painted.
const { why, shown, save } = window.impasto;
const root = element.querySelector(".camera");
const video = root.querySelector("video"), painted = root.querySelector("img"), note = root.querySelector(".camera-note");
const start = root.querySelector(".camera-start"), take = root.querySelector(".camera-take");
const canvas = document.createElement("canvas");
const SIDE = 640, OUT_OF_SIGHT = 3000;
let stream = null, times = [];

function say(text) { root.querySelector(".camera-error").textContent = text; }

function stop() {
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
  root.classList.remove("on");
  start.textContent = "Start the camera";
  note.textContent = "";
  take.disabled = true;
}

function frame() {
  const factor = Math.min(1, SIDE / Math.max(video.videoWidth, video.videoHeight));
  canvas.width = Math.round(video.videoWidth * factor);
  canvas.height = Math.round(video.videoHeight * factor);
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/jpeg", 0.8);
}

async function run() {
  let failures = 0, seen = performance.now();
  while (stream && element.isConnected) {
    if (shown(root)) seen = performance.now();
    else if (performance.now() - seen > OUT_OF_SIGHT) return stop();
    if (!shown(root) || !video.videoWidth) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      continue;
    }
    try {
      const answer = await server.frame({ picture: frame(), look: window.impasto.look });
      if (answer.error) throw new Error(answer.error);
      if (!stream) return;
      painted.src = answer.picture;
      take.disabled = false;
      failures = 0;
      say("");
      times = [...times, performance.now()].slice(-20);
      const rate = 1000 * (times.length - 1) / (times.at(-1) - times[0]);
      if (times.length > 3) note.textContent = `${rate.toFixed(rate < 10 ? 1 : 0)} pictures a second`;
    } catch (problem) {
      failures += 1;
      say(why(problem));
      if (failures > 5) return stop();
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

start.addEventListener("click", async () => {
  if (stream) return stop();
  say("");
  if (!navigator.mediaDevices?.getUserMedia) {
    return say("A browser lends its camera only to https pages and to this computer itself; open the studio there.");
  }
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: SIDE }, facingMode: "user" } });
  } catch (problem) {
    const words = { NotAllowedError: "The browser was not allowed to use the camera; allow it in the address bar.",
      NotFoundError: "No camera was found on this computer.", NotReadableError: "Another program is using the camera." };
    return say(words[problem.name] ?? why(problem));
  }
  video.srcObject = stream;
  await video.play();
  root.classList.add("on");
  start.textContent = "Stop the camera";
  times = [];
  run();
});
take.addEventListener("click", () => save(painted.src, "impasto.jpg"));
