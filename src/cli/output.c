/* output.c - files that a verb writes, and JSON for programs.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

out_file open_out(const char *path, mho_err *err, mho_errinfo *ei) {
  out_file out = {.f = stdout};
  if (!path)
    return out;
  out.f = mho__whole_open(path, &out.file);
  if (!out.f)
    *err = mho_fail_at(ei, mho__io_error(errno), path, 0, "cannot be written: %s", strerror(errno));
  return out;
}

mho_err close_out(out_file *out, mho_err err, mho_errinfo *ei) {
  if (!out->f)
    return err;
  if (out->f != stdout)
    return mho__whole_end(&out->file, err, "cannot be written", ei);

  return err ? err : mho__flush(stdout, "standard output: cannot be written", ei);
}

mho_err write_text(const char *path, const char *text, mho_errinfo *ei) {
  mho_err err = MHO_OK;
  out_file out = open_out(path, &err, ei);
  if (out.f)
    fputs(text, out.f);
  return close_out(&out, err, ei);
}

void print_plain(FILE *f, const char *text) {
  char *plain = mho_text_escape(text, strlen(text), true);
  fputs(plain ? plain : "(no memory to show it)", f);
  free(plain);
}

void end_command(const common_options *o) {
  if (o->db)
    printf(" --db %s", o->db);
  putchar('\n');
}

void print_json_line(json_t *o, int digits) {
  json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION((size_t)digits));
  putchar('\n');
  fflush(stdout);
  json_decref(o);
}

json_t *text_json(const char *text) {
  char *plain = text ? mho_text_escape(text, strlen(text), false) : NULL;
  json_t *j = plain ? json_string(plain) : NULL;
  free(plain);
  return j;
}

json_t *number_or_null(double v) {
  return isfinite(v) ? json_real(v) : json_null();
}
