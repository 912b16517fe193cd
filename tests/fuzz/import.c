/* import.c - exported runs.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "fuzz.h"
#include "mho/store.h"

static mho_store *store;
static char path[] = "/tmp/mho-fuzz-XXXXXX";

static void close_store(void) {
  char beside[64];
  mho_store_close(store);
  unlink(path);
  snprintf(beside, sizeof beside, "%s-wal", path);
  unlink(beside);
  snprintf(beside, sizeof beside, "%s-shm", path);
  unlink(beside);
}

/* One database for all inputs: what an input leaves in it is what later ones find. */
static void open_store(void) {
  mho_errinfo ei = {0};
  int fd = mkstemp(path);
  must(fd >= 0, "no file for a database");
  close(fd);
  must(!mho_store_open(path, MHO_STORE_WRITE, &store, &ei), ei.message);
  atexit(close_store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  mho_errinfo ei = {0};
  mho_merge_result r;
  if (!store)
    open_store();
  check_error(mho_store_import(store, file_of(data, size), &r, &ei), &ei);
  return 0;
}
