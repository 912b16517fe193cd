/* report.c - the list of reports.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/report.h"
#include "mho/model/report.h"

#include <stdlib.h>
#include <string.h>

#define X(id) extern const mho_report mho_report_##id;
#include "report_list.inc"
#undef X

static const mho_report *const reports[] = {
#define X(id) &mho_report_##id,
#include "report_list.inc"
#undef X
};

const mho_entry *mho_report_entry(const mho_report *report) {
  return &report->entry;
}

mho_err mho_report_write(const mho_report *report, mho_store *s, const char *run_id, FILE *out,
                         const mho_context *ctx, mho_errinfo *ei) {
  return report->write(s, run_id, out, ctx, ei);
}

mho_err mho_report_text(const mho_report *report, mho_store *s, const char *run_id,
                        const mho_context *ctx, char **out, mho_errinfo *ei) {
  size_t size = 0;
  char *text = NULL;
  *out = NULL;
  FILE *f = open_memstream(&text, &size);
  if (!f)
    return mho_fail(ei, MHO_ENOMEM, "no memory for a report");

  mho_err err = report->write(s, run_id, f, ctx, ei);
  bool whole = !ferror(f);
  whole = !fclose(f) && whole;
  if (!err && !whole)
    err = mho_fail(ei, MHO_ENOMEM, "no memory for a report");
  if (err)
    free(text);
  else
    *out = text;
  return err;
}

int mho_report_count(void) {
  return MHO_COUNT(reports);
}

const mho_report *mho_report_at(int i) {
  return i >= 0 && i < mho_report_count() ? reports[i] : NULL;
}

const mho_report *mho_report_find(const char *id) {
  for (int i = 0; i < mho_report_count(); i++)
    if (!strcmp(reports[i]->entry.id, id))
      return reports[i];
  return NULL;
}
