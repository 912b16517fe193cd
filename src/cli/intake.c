/* intake.c - runs of other databases or exported files come into a database.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "cli/cli.h"

mho_err take_runs(const char *db, take_fn take, int n, char *const *files, mho_errinfo *ei) {
  mho_store *s = NULL;
  mho_merge_result r = {0};

  mho_err err = mho_store_open(db, MHO_STORE_WRITE, &s, ei);
  for (int i = 0; i < n; i++) {
    if (!err)
      err = take(s, files[i], &r, ei);
    if (err)
      break;
    printf("%s: %d runs, %d new, %d brought up to date\n", files[i], r.runs, r.added, r.replaced);
  }
  if (!err && r.twice)
    printf("%d configs are there more than once; v_study counts the newest\n", r.twice);

  mho_store_close(s);
  return err;
}
