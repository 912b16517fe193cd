/* mistake_gallery.c - test images that a run took for others, as the training kept them
 * (train/mistakes.c).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "report/html.h"
#include "report/page.h"
#include "report/png.h"

/* The first line of what is kept. */
typedef struct mistakes {
  int images, wrong, width, height, channels;
} mistakes;

/* One image: a line "sample label answer pixels". */
static mho_err write_image(const mho_page *p, const mistakes *m, const char *line, uint8_t *pixels,
                           mho_errinfo *ei) {
  int sample, label, answer, at = 0;
  size_t n = (size_t)m->width * (size_t)m->height * (size_t)m->channels;
  bool is_whole = sscanf(line, "%d %d %d %n", &sample, &label, &answer, &at) == 3 && at > 0 &&
                  mho__png_pixels(line + at, n, pixels);
  if (!is_whole)
    return MHO_OK;

  fprintf(p->out,
          "<li><svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"test image %d\"><image "
          "width=\"%d\" height=\"%d\" href=\"",
          m->width, m->height, sample, m->width, m->height);
  mho_err err = mho__png_data(p->out, m->width, m->height, m->channels, pixels, ei);
  fprintf(p->out, "\"/></svg>%d, taken for %d</li>\n", label, answer);
  return err;
}

static mho_err write_images(const mho_page *p, const char *text, mho_errinfo *ei) {
  enum { SIDE_MAX = 4096, SHOWN_MAX = 64 };
  mistakes m;
  char rate[MHO_NUMBER_MAX];
  int got = sscanf(text, "%d %d %d %d %d", &m.images, &m.wrong, &m.width, &m.height, &m.channels);
  bool fits = got == 5 && m.images > 0 && m.width > 0 && m.width <= SIDE_MAX && m.height > 0 &&
              m.height <= SIDE_MAX && (m.channels == 1 || m.channels == 3);
  uint8_t *pixels = fits ? malloc((size_t)(m.width * m.height * m.channels)) : NULL;
  if (!pixels)
    return MHO_OK;

  mho_err err = MHO_OK;
  fputs("<section>\n<h2>What it gets wrong</h2>\n", p->out);
  fprintf(p->out, "<p class=\"note\">%d of %d test images in the end (%s)%s</p>\n", m.wrong,
          m.images, mho__percent((double)m.wrong / m.images, rate),
          m.wrong > 0 ? ". The first ones, and what they were taken for:" : ".");
  if (m.wrong > 0)
    fputs("<ul class=\"mistakes\">\n", p->out);
  const char *line = strchr(text, '\n');
  for (int i = 0; i < mho_min(m.wrong, SHOWN_MAX) && !err && line && line[1]; i++) {
    err = write_image(p, &m, line + 1, pixels, ei);
    line = strchr(line + 1, '\n');
  }
  fputs(m.wrong > 0 ? "</ul>\n</section>\n" : "</section>\n", p->out);

  free(pixels);
  return err;
}

/* What is kept of a run, and how writing it ended. */
typedef struct kept {
  const mho_page *p;
  mho_err err;
  mho_errinfo *ei;
} kept;

static bool take(void *user, int n, const char *const *names, const mho_cell *c) {
  kept *k = user;
  if (c && c[0].text)
    k->err = write_images(k->p, c[0].text, k->ei);
  return !k->err;
}

mho_err mho__page_mistakes(const mho_page *p, mho_errinfo *ei) {
  static const char sql[] =
      "SELECT CAST(data AS TEXT) FROM artifact WHERE run_id = ?1 AND kind = 'mistakes' LIMIT 1";
  const char *id = p->d.run.id;
  kept k = {.p = p, .ei = ei};
  mho_err err = mho_store_query(p->store, sql, 1, &id, 0, take, &k, ei);
  return err ? err : k.err;
}
