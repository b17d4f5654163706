// What the cards do in the browser: play from a moment, turn to a page, enlarge, copy a path.
// Listens on the document, since the page is drawn anew with every answer.
if (!window.omniaListens) {
  window.omniaListens = true;

  const playFrom = (player, seconds) => {
    const start = () => { player.currentTime = seconds; player.play().catch(() => {}); };
    if (player.readyState > 0) return start();
    player.addEventListener("loadedmetadata", start, { once: true });
    player.preload = "metadata";
    player.load();
  };

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
      if (player) playFrom(player, Number(seek));
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

  // A picture that cannot be drawn, or a file that is away, says so instead of showing a torn frame.
  document.addEventListener("error", (event) => {
    event.target.closest?.(".om-media")?.classList.add("om-missing");
  }, true);
}
