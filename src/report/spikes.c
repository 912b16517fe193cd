/* spikes.c - what the neurons of a network that spikes have become, as the training kept it
 * (train/spike_portrait.c): a raster, rates and thresholds, receptive fields.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/answer.h"
#include "report/html.h"
#include "report/page.h"
#include "report/png.h"

enum { PLOT_HEIGHT = 320, LAYERS_DRAWN = 6 };

static const char *const colors[] = {MHO_PLOT_COLOR_1, MHO_PLOT_COLOR_3, MHO_PLOT_COLOR_2};

static const char *color_of(int i) {
  return colors[i % MHO_COLORS];
}

/* What is kept of a run, query by query. */
#define KEPT                                                                                       \
  "WITH kept AS (SELECT CAST(data AS TEXT) AS j FROM artifact "                                    \
  "WHERE run_id = ?1 AND kind = 'spikes' LIMIT 1) "

static mho_err ask(const mho_page *p, const char *sql, mho_answer *out, mho_errinfo *ei) {
  const char *id = p->d.run.id;
  return mho__answer_read(p->store, sql, 1, &id, out, ei);
}

/* ---------------------------------------------------------------- the sample */

/* Columns of its query, and of that of its spikes. */
enum { SECONDS, LABEL, SAMPLE_IMAGES };
enum { TIME, LAYER, NEURON };

typedef struct raster {
  const mho_answer *sample, *spikes, *layers;
  const int *first; /* [layers + 1] the line of a layer's first neuron */
} raster;

/* Columns of the query of layers, of which inputs are the first. */
enum { NAME, UNITS };

static void print_raster(FILE *f, const void *user) {
  const raster *r = user;
  const char *comma = "plot ";
  fputs("$spikes << EOD\n-1 0 0\n", f); /* a line that is drawn nowhere: a block is never empty */
  for (int i = 0; i < r->spikes->n; i++) {
    int layer = (int)mho__answer_number(r->spikes, i, LAYER);
    if (layer < 0 || layer >= r->layers->n)
      continue;
    fprintf(f, "%.6g %g %d\n", 1e3 * mho__answer_number(r->spikes, i, TIME),
            r->first[layer] + mho__answer_number(r->spikes, i, NEURON), layer);
  }

  fprintf(f,
          "EOD\nset xlabel 'time (ms)'\nset ylabel 'neuron'\nset xrange [0:%.6g]\n"
          "set yrange [-1:%d]\nunset ytics\nset key outside top center horizontal samplen 1\n",
          1e3 * mho__answer_number(r->sample, 0, SECONDS), r->first[r->layers->n]);
  for (int l = 0; l < r->layers->n; l++) {
    char name[MHO_NAME_MAX];
    mho__gnuplot_text(mho__answer_text(r->layers, l, NAME), name, sizeof name);
    fprintf(f,
            "%s$spikes using ($3 == %d ? $1 : NaN):2 with points pointtype 7 pointsize 0.3 %s "
            "title '%s'",
            comma, l, color_of(l + 2), name);
    comma = ", ";
  }
  fputc('\n', f);
}

static void draw_raster(mho_page *p, const raster *r) {
  char caption[256];
  const char *label = mho__answer_text(r->sample, 0, LABEL);
  snprintf(caption, sizeof caption, "Spikes of the first test sample%s%s, inputs at the bottom.",
           *label ? ", of class " : "", label);
  mho__figure(&p->figures, print_raster, r, PLOT_HEIGHT, "Raster of the spikes of a test sample",
              caption);
}

/* ---------------------------------------------------------------- rates and thresholds */

/* Columns of the query of neurons, layer by layer, ascending in what is drawn. */
enum { OF_LAYER, VALUE };

typedef struct ranks {
  const mho_answer *a;
  const char *label;
} ranks;

/* A curve a layer: its neurons in the order of their values. */
static void print_ranks(FILE *f, const void *user) {
  const ranks *r = user;
  int groups = mho_min(mho__answer_groups(r->a), LAYERS_DRAWN), start = 0;
  for (int g = 0; g < groups; g++) {
    int end = mho__answer_group_end(r->a, start);
    fprintf(f, "$layer%d << EOD\n0 %.7g\n", g, mho__answer_number(r->a, start, VALUE));
    for (int i = start; i < end; i++)
      fprintf(f, "%.5g %.7g\n", 100.0 * (i + 1 - start) / (end - start),
              mho__answer_number(r->a, i, VALUE));
    fputs("EOD\n", f);
    start = end;
  }

  fprintf(f,
          "set grid y\nset ylabel '%s'\nset xlabel 'neurons at or below (%%)'\nset xrange [0:100]\n"
          "set key outside top center horizontal samplen 2\n",
          r->label);
  start = 0;
  for (int g = 0; g < groups; g++) {
    char name[MHO_NAME_MAX];
    mho__gnuplot_text(mho__answer_text(r->a, start, OF_LAYER), name, sizeof name);
    fprintf(f, "%s$layer%d using 1:2 with fsteps linewidth 2 dashtype %d %s title '%s'",
            g ? ", " : "plot ", g, 1 + g / MHO_COLORS, color_of(g), name);
    start = mho__answer_group_end(r->a, start);
  }
  fputc('\n', f);
}

static mho_err draw_ranks(mho_page *p, const char *key, const char *label, const char *caption,
                          mho_errinfo *ei) {
  char sql[512];
  mho_answer a;
  snprintf(sql, sizeof sql,
           KEPT "SELECT json_extract(l.value, '$.name'), v.value FROM kept, "
                "json_each(kept.j, '$.layer') AS l, json_each(l.value, '$.%s') AS v "
                "ORDER BY l.key, v.value",
           key);
  mho_err err = ask(p, sql, &a, ei);
  if (err)
    return err;

  if (a.n > 0)
    mho__figure(&p->figures, print_ranks, &(ranks){&a, label}, PLOT_HEIGHT, caption, caption);
  mho__answer_free(&a);
  return MHO_OK;
}

/* ---------------------------------------------------------------- the table of layers */

static mho_err write_table(const mho_page *p, mho_errinfo *ei) {
  static const char sql[] =
      KEPT "SELECT json_extract(l.value, '$.name') AS layer, count(*) AS neurons, "
           "round(avg(r.value), 3) AS 'mean rate (Hz)', round(max(r.value), 3) AS 'highest', "
           "sum(r.value = 0) AS 'silent', round(avg(t.value), 4) AS 'mean threshold', "
           "round(min(t.value), 4) AS 'from', round(max(t.value), 4) AS 'to' FROM kept, "
           "json_each(kept.j, '$.layer') AS l, json_each(l.value, '$.rate') AS r "
           "JOIN json_each(l.value, '$.threshold') AS t ON t.key = r.key "
           "GROUP BY l.key ORDER BY l.key";
  mho_answer a;
  mho_err err = ask(p, sql, &a, ei);
  if (err)
    return err;
  mho__answer_table(p->out, &a, "Hidden layers that spike", a.n);
  mho__answer_free(&a);
  return MHO_OK;
}

/* ---------------------------------------------------------------- receptive fields */

/* Columns of the query, a record a neuron. */
enum { WIDTH, HEIGHT, CHANNELS, LOW, HIGH, PIXELS, VOTE, VOTES };

/* A picture of what leads into neuron i of the first hidden layer. */
static mho_err write_field(const mho_page *p, const mho_answer *a, int i, uint8_t *pixels,
                           mho_errinfo *ei) {
  int width = (int)mho__answer_number(a, i, WIDTH), height = (int)mho__answer_number(a, i, HEIGHT);
  int channels = (int)mho__answer_number(a, i, CHANNELS);
  size_t n = (size_t)width * (size_t)height * (size_t)channels;
  if (!mho__png_pixels(mho__answer_text(a, i, PIXELS), n, pixels))
    return MHO_OK;

  fprintf(
      p->out,
      "<li><svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"weights into neuron %d\"><image "
      "width=\"%d\" height=\"%d\" href=\"",
      width, height, i, width, height);
  mho_err err = mho__png_data(p->out, width, height, channels, pixels, ei);
  fprintf(p->out, "\"/></svg>%d", i);
  if (*mho__answer_text(a, i, VOTES)) {
    const char *vote = mho__answer_text(a, i, VOTE);
    fprintf(p->out, ", %s%s", *vote ? "for " : "no vote", vote);
  }
  fputs("</li>\n", p->out);
  return err;
}

static mho_err write_pictures(const mho_page *p, const mho_answer *a, mho_errinfo *ei) {
  enum { SIDE_MAX = 4096 };
  double width = mho__answer_number(a, 0, WIDTH), height = mho__answer_number(a, 0, HEIGHT);
  double channels = mho__answer_number(a, 0, CHANNELS);
  bool fits = width >= 1 && width <= SIDE_MAX && height >= 1 && height <= SIDE_MAX &&
              (channels == 1 || channels == 3);
  uint8_t *pixels = fits ? malloc((size_t)(width * height * channels)) : NULL;
  char low[MHO_NUMBER_MAX], high[MHO_NUMBER_MAX];
  if (!pixels)
    return MHO_OK;

  fputs("<h3>Receptive fields</h3>\n", p->out);
  fprintf(
      p->out,
      "<p class=\"note\">Weights from the image to the first neurons of the first hidden layer, "
      "from %s (black) to %s (white)%s.</p>\n<ul class=\"fields\">\n",
      mho__number(mho__answer_number(a, 0, LOW), 3, low),
      mho__number(mho__answer_number(a, 0, HIGH), 3, high),
      *mho__answer_text(a, 0, VOTES) ? ", and for which class a neuron votes" : "");
  mho_err err = MHO_OK;
  for (int i = 0; i < a->n && !err; i++)
    err = write_field(p, a, i, pixels, ei);
  fputs("</ul>\n", p->out);
  free(pixels);
  return err;
}

static mho_err write_fields(const mho_page *p, mho_errinfo *ei) {
  static const char sql[] =
      KEPT "SELECT json_extract(j, '$.field.width'), json_extract(j, '$.field.height'), "
           "json_extract(j, '$.field.channels'), json_extract(j, '$.field.low'), "
           "json_extract(j, '$.field.high'), f.value, "
           "json_extract(j, '$.layer[0].vote[' || f.key || ']'), "
           "json_array_length(j, '$.layer[0].vote') "
           "FROM kept, json_each(kept.j, '$.field.pixels') AS f ORDER BY f.key";
  mho_answer a;
  mho_err err = ask(p, sql, &a, ei);
  if (err)
    return err;
  if (a.n > 0)
    err = write_pictures(p, &a, ei);
  mho__answer_free(&a);
  return err;
}

/* ---------------------------------------------------------------- the section */

/* The line of each layer's first neuron in a raster, [layers + 1]; NULL without memory. */
static int *lines_new(const mho_answer *layers) {
  int *first = calloc((size_t)layers->n + 1, sizeof *first);
  for (int l = 0; first && l < layers->n; l++)
    first[l + 1] = first[l] + (int)mho__answer_number(layers, l, UNITS);
  return first;
}

static mho_err write_raster(mho_page *p, const mho_answer *sample, mho_errinfo *ei) {
  static const char layers_sql[] =
      KEPT "SELECT 'inputs', json_extract(j, '$.inputs') FROM kept UNION ALL SELECT * FROM (SELECT "
           "json_extract(l.value, '$.name'), json_array_length(l.value, '$.rate') FROM kept, "
           "json_each(kept.j, '$.layer') AS l ORDER BY l.key)";
  static const char spikes_sql[] =
      KEPT "SELECT json_extract(s.value, '$[0]'), json_extract(s.value, '$[1]'), "
           "json_extract(s.value, '$[2]') FROM kept, json_each(kept.j, '$.spike') AS s";
  mho_answer layers, spikes;
  mho_err err = ask(p, layers_sql, &layers, ei);
  if (err)
    return err;
  err = ask(p, spikes_sql, &spikes, ei);

  int *first = err ? NULL : lines_new(&layers);
  if (first)
    draw_raster(p, &(raster){sample, &spikes, &layers, first});
  else if (!err)
    err = mho_fail(ei, MHO_ENOMEM, "no memory for a raster");
  free(first);
  mho__answer_free(&spikes);
  mho__answer_free(&layers);
  return err;
}

static mho_err write_section(mho_page *p, const mho_answer *sample, mho_errinfo *ei) {
  char images[MHO_NUMBER_MAX], caption[128];
  mho__count(mho__answer_number(sample, 0, SAMPLE_IMAGES), images);
  snprintf(caption, sizeof caption, "Rates of hidden neurons over %s test samples.", images);

  fputs("<section>\n<h2>Spikes</h2>\n", p->out);
  mho_err err = write_table(p, ei);
  fputs("<div class=\"plots\">\n", p->out);
  if (!err)
    err = write_raster(p, sample, ei);
  if (!err)
    err = draw_ranks(p, "rate", "rate (Hz)", caption, ei);
  if (!err)
    err = draw_ranks(p, "threshold", "threshold", "Thresholds of hidden neurons in the end.", ei);
  fputs("</div>\n", p->out);
  if (!err)
    err = write_fields(p, ei);
  fputs("</section>\n", p->out);
  return err;
}

mho_err mho__page_spikes(mho_page *p, mho_errinfo *ei) {
  static const char sql[] = KEPT "SELECT json_extract(j, '$.seconds'), json_extract(j, '$.label'), "
                                 "json_extract(j, '$.images') FROM kept WHERE json_valid(j)";
  mho_answer sample;
  mho_err err = ask(p, sql, &sample, ei);
  if (err)
    return err;
  if (sample.n > 0)
    err = write_section(p, &sample, ei);
  mho__answer_free(&sample);
  return err;
}
