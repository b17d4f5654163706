// What the cards do in the browser: play from a moment, turn to a page, enlarge, copy a path.
// Listens on the document, since the page is drawn anew with every answer.
if (!window.omniaListens) {
  window.omniaListens = true;

  // A player plays its file or, where the browser cannot, a clip: what is around one moment, from data-begin on.
  const wanted = new WeakMap();  // player → the moment to play from as soon as it can

  const playFrom = (player, { seek, end }) => {
    const { begin } = player.dataset;
    const offset = Number(seek) - Number(begin ?? 0);
    if (player.readyState > 0 && (begin === undefined || (offset >= 0 && offset < player.duration))) {
      player.currentTime = offset;
      player.play().catch(() => {});
      return;
    }
    wanted.set(player, { seek, end });
    if (begin !== undefined) return playClip(player, { seek, end });
    player.preload = "metadata";
    player.load();
  };

  const playClip = (player, { seek, end }) => {
    const { play, lead } = player.dataset;
    player.dataset.begin = Math.max(0, Number(seek) - Number(lead));
    player.closest(".om-media").classList.remove("om-missing");
    player.preload = "metadata";
    player.src = `${play}?t=${seek}${end ? `&end=${end}` : ""}`;
  };

  // Once for each player: from then on it has a beginning.
  const exchange = (player) => {
    const moment = wanted.get(player) ?? player.dataset;
    if (!player.paused || wanted.has(player)) wanted.set(player, { seek: moment.seek, end: moment.end });
    playClip(player, moment);
  };

  document.addEventListener("loadedmetadata", (event) => {
    const player = event.target;
    const { play, begin } = player.dataset;
    if (play && begin === undefined && player.matches("video") && !player.videoWidth) return exchange(player);
    const moment = wanted.get(player);
    wanted.delete(player);
    if (moment) playFrom(player, moment);
    else if (begin !== undefined && !player.src.includes("#")) player.currentTime = player.dataset.seek - begin;
  }, true);

  const enlarge = (source, alt) => {
    const dialog = document.createElement("dialog");
    dialog.className = "om-lightbox";
    const image = document.createElement("img");
    image.src = source;
    image.alt = alt;
    dialog.append(image);
    dialog.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-seek], [data-page], [data-full], [data-copy]");
    if (!button) return;
    const card = button.closest(".om-card");
    const { seek, page, full, copy } = button.dataset;
    if (seek !== undefined) {
      const player = card.querySelector("video, audio");
      if (player && player !== button) playFrom(player, button.dataset);
    } else if (page !== undefined) {
      const image = card.querySelector(".om-zoom img");
      if (image) {
        image.src = page;
        image.parentElement.dataset.full = page.replace("side=640", "side=2048");
      }
    } else if (full !== undefined) {
      enlarge(full, button.querySelector("img").alt);
    } else {
      navigator.clipboard?.writeText(copy).then(() => {
        button.classList.add("om-copied");
        setTimeout(() => button.classList.remove("om-copied"), 1200);
      });
    }
  });

  // Files dropped anywhere, or pasted, go to the drop zone.
  const give = (files, patience = 50) => {
    if (!files.length) return;
    const input = document.querySelector(".st-key-ask input[type=file]");
    if (!input) {  // the drop zone is drawn last
      if (patience) setTimeout(() => give(files, patience - 1), 100);
      return;
    }
    const carrier = new DataTransfer();
    for (const file of files) carrier.items.add(file);
    input.files = carrier.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  };
  const dragging = (event, is) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    document.body.classList.toggle("om-dragging", is);
    event.preventDefault();
  };
  document.addEventListener("dragover", (event) => dragging(event, true));
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) dragging(event, false); });
  document.addEventListener("drop", (event) => {
    dragging(event, false);
    if (!event.target.closest?.("[data-testid=stFileUploaderDropzone]")) give([...event.dataTransfer.files]);
  });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) { event.preventDefault(); give(files); }
  });

  // One player at a time.
  document.addEventListener("play", (event) => {
    document.querySelectorAll("video, audio").forEach((player) => {
      if (player !== event.target) player.pause();
    });
  }, true);

  // What cannot be drawn or played, or is away, says so instead of showing a torn frame; a player has one more try.
  document.addEventListener("error", async (event) => {
    const media = event.target.closest?.(".om-media");
    if (!media) return;
    const { play, begin } = event.target.dataset;
    if (play && begin === undefined) return exchange(event.target);
    media.classList.add("om-missing");
    if (!play) return;
    const answer = await fetch(event.target.src).catch(() => null);
    const told = answer && !answer.ok ? await answer.json().catch(() => ({})) : {};
    if (told.error) media.dataset.why = told.error;
  }, true);
}
