/* fit_card.c - a fit as a device card.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/fit/fit.h"

static const mho_fit_value *fitted(const mho_fit *f, const char *name) {
  for (int i = 0; i < f->n; i++)
    if (!strcmp(f->value[i].name, name))
      return &f->value[i];
  return NULL;
}

/* One key; what was fitted with its interval beside it. */
static void print_key(FILE *out, const mho_fit *f, const mho_param *p, const void *params) {
  char value[MHO_TEXT_MAX], line[MHO_TEXT_MAX + 64];
  const mho_fit_value *v = fitted(f, p->name);
  const char *quote = p->kind == MHO_PARAM_TEXT ? "\"" : "";

  mho_param_format(p, params, false, value, sizeof value);
  snprintf(line, sizeof line, "  %s: %s%s%s", p->name, quote, value, quote);
  if (v && !v->determined)
    fprintf(out, "%-34s # not determined by the data\n", line);
  else if (v)
    fprintf(out, "%-34s # +- %.2g; 95 %%: %.6g to %.6g%s%s\n", line, v->error, v->low, v->high,
            *p->unit ? " " : "", p->unit);
  else
    fprintf(out, "%s\n", line);
}

/* Keys of "a.b" as "a: {b: value}", for the few of the device section that a fit sets. */
static void print_common(FILE *out, const mho_fit *f) {
  const mho_device_config *d = &f->config;
  print_key(out, f, mho_params_find(mho_device_params, "g_min"), d);
  print_key(out, f, mho_params_find(mho_device_params, "g_max"), d);

  if (isfinite(f->spread_step)) {
    fprintf(out, "  variation:\n    step: %.6g", d->spread_step);
    fprintf(out, "                   # +- %.2g, %d devices\n", f->spread_step_error, f->devices);
  }

  if (isfinite(f->spread_asymmetry))
    fprintf(out, "    asymmetry: %.6g              # +- %.2g\n", d->spread_asymmetry,
            f->spread_asymmetry_error);
  if (f->read > 0)
    fprintf(
        out,
        "  read_noise: {law: constant, sigma: %.6g}   # of the range, as the instrument and the "
        "device gave it\n",
        d->read_noise.sigma);
}

/* A text in quotes on one line. */
static void print_quoted(FILE *out, const char *text) {
  fputc('"', out);
  for (; *text; text++)
    if (*text == '"' || *text == '\\')
      fprintf(out, "\\%c", *text);
    else if ((unsigned char)*text >= ' ')
      fputc(*text, out);
  fputc('"', out);
}

char *mho_fit_card(const mho_fit *f, const char *source) {
  char *text = NULL;
  size_t n;
  FILE *out = open_memstream(&text, &n);
  if (!out)
    return NULL;

  fprintf(out, "card:\n  title: fit of %s\n  source: ", f->model->entry.id);
  print_quoted(out, source);
  fprintf(out, "\n  valid: identical pulses as measured, %d devices, %d cycles, %d readings used\n",
          f->devices, f->tracks, f->used);
  fprintf(out,
          "  note: %.2f %% of the variance of the mean response explained; %d outliers and %d "
          "missing readings passed over%s%s\n",
          100 * f->explained, f->outliers, f->missing,
          *f->untold ? "; not told by these data - " : "", f->untold);

  fprintf(out, "device:\n  model: %s\n", f->model->entry.id);
  print_common(out, f);
  for (int i = 0; i < f->model->entry.params.n; i++)
    print_key(out, f, &f->model->entry.params.p[i], f->params);
  fclose(out);
  return text;
}
