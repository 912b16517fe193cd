/* run.c - the report of one run: key figures, learning curves, devices, the check against ngspice,
 * the config.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/model/report.h"
#include "mho/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/whole_file.h"
#include "report/crossbar_plots.h"
#include "report/html.h"
#include "report/page.h"

/* ---------------------------------------------------------------- connections */

/* Which columns the table of connections has, by what is known of any of them. */
typedef struct layer_columns {
  bool devices, pulses, cosine;
} layer_columns;

static layer_columns columns_of(const mho_report_data *d) {
  layer_columns c = {0};
  for (int i = 0; i < d->n_layers; i++) {
    c.devices = c.devices || isfinite(d->layer[i].g_mean);
    c.pulses = c.pulses || d->layer[i].pulses_total > 0;
    c.cosine = c.cosine || isfinite(d->layer[i].cosine);
  }
  return c;
}

static void write_layer(const mho_page *p, const mho_report_layer *l, layer_columns c) {
  char a[MHO_NUMBER_MAX], b[MHO_NUMBER_MAX];
  mho__html_row(p->out, "%s", l->name);
  mho__html_number(p->out, "%d × %d", l->rows, l->cols);
  mho__html_number(p->out, "%s ± %s", mho__number(l->w_mean, 3, a), mho__number(l->w_std, 3, b));
  mho__html_number(p->out, "%s", mho__number(l->w_absmax, 3, a));
  if (c.devices) {
    mho__html_number(p->out, "%s ± %s", mho__number(1e6 * l->g_mean, 4, a),
                     mho__number(1e6 * l->g_std, 3, b));
    mho__html_number(p->out, "%s", mho__percent(l->saturated, a));
    mho__html_number(p->out, "%s", mho__percent(l->stuck, a));
  }

  if (c.pulses) {
    mho__html_number(p->out, "%s", mho__count(l->pulses, a));
    mho__html_number(p->out, "%s", mho__count(l->pulses_total, a));
  }

  if (c.cosine)
    mho__html_number(p->out, "%s", mho__number(l->cosine, 3, a));
  fputs("</tr>\n", p->out);
}

/* "After epoch 5: 3 connections, 2 560 weights. Mean ± standard deviation." */
static void write_layers_note(const mho_page *p, layer_columns c) {
  const mho_report_data *d = &p->d;
  char count[MHO_NUMBER_MAX];
  double weights = 0;

  for (int i = 0; i < d->n_layers; i++)
    weights += (double)d->layer[i].rows * d->layer[i].cols;

  fputs("<p class=\"note\">", p->out);
  if (d->layers_epoch > 0)
    fprintf(p->out, "After epoch %d", d->layers_epoch);
  else
    fputs(mho__report_is_programmed(d) ? "As programmed" : "Before training", p->out);

  fprintf(p->out, ": %d connection%s, %s weights. Mean ± standard deviation%s.</p>\n", d->n_layers,
          d->n_layers == 1 ? "" : "s", mho__count(weights, count),
          c.devices ? "; saturated: cells at a bound; stuck: cells that do not move" : "");
}

static mho_err write_layers(mho_page *p, mho_errinfo *ei) {
  const mho_report_data *d = &p->d;
  layer_columns c = columns_of(d);
  if (d->n_layers == 0)
    return MHO_OK;

  char heads[320];
  snprintf(heads, sizeof heads, "connection|#size|#weight|#largest weight");
  if (c.devices)
    mho_text_append(heads, sizeof heads, "|#conductance (µS)|#saturated|#stuck");
  if (c.pulses)
    mho_text_append(heads, sizeof heads, "|#pulses, epoch|#pulses, all");
  if (c.cosine)
    mho_text_append(heads, sizeof heads, "|#cosine with backprop");

  fprintf(p->out, "<section>\n<h2>%s</h2>\n", c.devices ? "Conductances and weights" : "Weights");
  write_layers_note(p, c);
  mho__html_table_begin(p->out, NULL, "Connections", heads);
  fputs("<tbody>\n", p->out);
  for (int i = 0; i < d->n_layers; i++)
    write_layer(p, &d->layer[i], c);
  fputs("</tbody>\n", p->out);
  mho__html_table_end(p->out);
  if (d->more_layers > 0)
    fprintf(p->out, "<p class=\"note\">%d more connections are not shown.</p>\n", d->more_layers);

  mho_err err = MHO_OK;
  if (c.devices && !*p->figures.failure) {
    fputs("<div class=\"plots\">\n", p->out);
    err = mho__crossbar_plots(&p->figures, p->store, d->run.id, "", ei);
    fputs("</div>\n", p->out);
  }

  fputs("</section>\n", p->out);
  return err;
}

/* ---------------------------------------------------------------- ngspice */

static void write_quantity(const mho_page *p, const mho_report_cosim *c) {
  char t[MHO_NUMBER_MAX];
  mho__html_row(p->out, "%s, %s", c->what, c->quantity);
  mho__html_number(p->out, "%s", mho__count((double)c->n, t));
  mho__html_number(p->out, "%s", mho__si(c->max_abs, c->unit, t));
  mho__html_cell(p->out, "%s", c->place);
  mho__html_number(p->out, "%s", mho__number(c->max_rel, 2, t));
  mho__html_number(p->out, "%s", mho__number(c->tolerance, 2, t));
  fputs(c->pass ? "<td class=\"good\">pass</td>" : "<td class=\"bad\">FAIL</td>", p->out);
  mho__html_number(p->out, "%s", mho__si(c->core_s, "s", t));
  mho__html_number(p->out, "%s", mho__si(c->spice_s, "s", t));
  mho__html_cell(p->out, "%.10s", c->created);
  fputs("</tr>\n", p->out);
}

static void write_no_cosim(const mho_page *p) {
  fputs("<p>Not run. This builds the trained circuit, runs it in ngspice, and stores the "
        "result:</p>\n<pre tabindex=\"0\"><code>",
        p->out);
  mho__html_printf(p->out, "mho cosim %s", p->d.run.id);
  fputs("</code></pre>\n", p->out);
}

static void write_cosim_table(const mho_page *p) {
  const mho_report_data *d = &p->d;
  int failed = 0;

  for (int i = 0; i < d->n_cosim; i++)
    failed += !d->cosim[i].pass;

  fprintf(p->out,
          "<p>The same circuit, solved by the core and by ngspice: %d of %d quantities agree. "
          "<span class=\"note\">Difference and tolerance are relative to the largest value; newest "
          "first.</span></p>\n",
          d->n_cosim - failed, d->n_cosim);
  mho__html_table_begin(
      p->out, "cosim", "Differences between the core and ngspice",
      "quantity|#values|#largest difference|at|#relative|#tolerance|result|#core|#ngspice|date");
  fputs("<tbody>\n", p->out);
  for (int i = 0; i < d->n_cosim; i++)
    write_quantity(p, &d->cosim[i]);
  fputs("</tbody>\n", p->out);
  mho__html_table_end(p->out);
  if (d->more_cosim > 0)
    fprintf(p->out, "<p class=\"note\">%d older rows are not shown.</p>\n", d->more_cosim);
}

static mho_err write_cosim(const mho_page *p, mho_errinfo *ei) {
  mho_err err = MHO_OK;
  fputs("<section>\n<h2>Check against ngspice</h2>\n", p->out);
  if (p->d.n_cosim == 0) {
    write_no_cosim(p);
  } else {
    write_cosim_table(p);
    err = mho__page_scatter(p, ei);
  }

  fputs("</section>\n", p->out);
  return err;
}

/* ---------------------------------------------------------------- how to do it again */

static void write_fact(const mho_page *p, const char *name, const char *value) {
  fprintf(p->out, "<dt>%s</dt><dd>", name);
  mho__html_text(p->out, value && *value ? value : "unknown");
  fputs("</dd>\n", p->out);
}

static mho_err write_command(const mho_page *p, mho_errinfo *ei) {
  const mho_run_row *r = &p->d.run;
  char *command = NULL;
  size_t size;
  if (!p->config.known) {
    fputs("<p class=\"alert\">This version of mho does not know the run's config (", p->out);
    mho__html_text(p->out, p->config.why);
    fputs("), so there is no command for it. Use the version named below.</p>\n", p->out);
    return MHO_OK;
  }

  FILE *f = open_memstream(&command, &size);
  if (!f)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the report");

  mho_err err;
  if (mho__report_is_programmed(&p->d))
    err = mho__report_program_command(f, &p->config, r->parent, ei);
  else
    err = mho__report_config_command(f, &p->config, r->seed, ei);
  fclose(f);

  fputs("<pre tabindex=\"0\"><code>", p->out);
  mho__html_text(p->out, command);
  fputs("</code></pre>\n", p->out);
  free(command);
  return err;
}

static mho_err write_again(const mho_page *p, mho_errinfo *ei) {
  const mho_run_row *r = &p->d.run;
  char seed[32];
  snprintf(seed, sizeof seed, "%lld", (long long)r->seed);

  fputs("<section>\n<h2>Reproduce</h2>\n", p->out);
  mho_err err = write_command(p, ei);
  fputs("<p class=\"note\">The same result to the last bit needs the same code version, BLAS "
        "kernel, class of processor and data.</p>\n<dl class=\"facts\">\n",
        p->out);
  write_fact(p, "Seed", seed);
  write_fact(p, "Code version", r->code_version);
  write_fact(p, "BLAS kernel", r->blas);
  write_fact(p, "Dataset SHA-256", r->data_checksum);
  write_fact(p, "Config SHA-256", r->config_hash);
  fputs("</dl>\n</section>\n", p->out);
  return err;
}

static void write_config(const mho_page *p) {
  int changed = 0;
  for (int i = 0; i < p->config.n; i++)
    changed += p->config.key[i].changed;

  fputs("<section>\n<h2>Config</h2>\n", p->out);
  if (p->config.known)
    fprintf(p->out,
            "<p class=\"note\">All %d keys. The %d that differ from the default are marked and "
            "show it.</p>\n",
            p->config.n, changed);

  mho__report_config_table(p->out, &p->config);
  fputs("</section>\n", p->out);
}

/* ---------------------------------------------------------------- a programmed chip */

/* In place of learning curves: where the weights are from. */
static void write_origin(const mho_page *p) {
  const mho_run_row *r = &p->d.run;
  fputs("<section>\n<h2>Programmed</h2>\n<p>Nothing was trained here: the weights of ", p->out);
  if (r->parent)
    mho__html_printf(p->out, "run %s", r->parent);
  else
    mho__html_text(p->out, mho__report_config_value(&p->config, "train", "from"));

  mho__html_printf(p->out, " were written onto chip %s (train.seeds.chip) and evaluated.",
                   mho__report_config_value(&p->config, "train", "seeds.chip"));
  fputs("</p>\n</section>\n", p->out);
}

/* ---------------------------------------------------------------- the page */

static mho_err write_page(mho_page *p, mho_errinfo *ei) {
  const mho_run_row *r = &p->d.run;
  const char *name = r->name && *r->name ? r->name : r->id;
  const char *validation = mho__report_config_value(&p->config, "dataset", "validation");

  size_t held_out = mho__report_has_values(&p->d) ? MHO_EPOCH_AT(val_loss) : MHO_EPOCH_AT(val_acc);
  p->by_validation = mho__report_has(&p->d, held_out) || (*validation && strcmp(validation, "0"));

  mho__html_begin(p->out, name, "mho run report");
  mho__page_head(p, name);
  fputs("<main>\n", p->out);
  if (mho__report_is_programmed(&p->d))
    write_origin(p);
  else
    mho__page_curves(p);

  mho_err err = mho__page_predictions(p, ei);
  if (!err)
    err = mho__page_mistakes(p, ei);
  if (!err)
    err = mho__page_spikes(p, ei);
  if (!err)
    err = mho__page_circuit(p, ei);
  if (!err)
    err = write_layers(p, ei);
  mho__page_energy(p);
  if (!err)
    err = write_cosim(p, ei);
  if (!err)
    err = write_again(p, ei);
  write_config(p);
  fputs("</main>\n", p->out);
  mho__html_end(p->out);
  return err;
}

static mho_err write_run(mho_store *s, const char *run_id, FILE *out, const mho_context *ctx,
                         mho_errinfo *ei) {
  mho_page p = {.out = out, .store = s, .figures = {.out = out, .ctx = ctx}};
  mho_err err = mho__report_data_read(s, run_id, &p.d, ei);
  if (err)
    return err;
  err = mho__report_config_read(&p.d.run, &p.config, ei);
  if (!err)
    err = write_page(&p, ei);
  if (!err)
    err = mho__flush(out, "the report cannot be written", ei);
  mho__report_config_free(&p.config);
  mho__report_data_free(&p.d);
  return err;
}

const mho_report mho_report_run = {
    .entry = {.abi = MHO_ABI,
              .id = "run",
              .title = "one run: key figures, curves, conductances, check against ngspice, config",
              .params = MHO_PARAMS_NONE},
    .write = write_run,
};
