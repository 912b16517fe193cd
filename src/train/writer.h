/* writer.h - a thread that writes a run's epochs and checkpoints beside the training.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TRAIN_WRITER_H
#define MHO_TRAIN_WRITER_H

#include "mho/store.h"

typedef struct writer writer;

/** The store is the thread's from a put to the next drain. */
mho_err writer_new(mho_store *store, writer **out, mho_errinfo *ei);
/** Hand over an update (at most one settle row; the run must be given, and its texts and the layers' names must
 *  last); waits for the one before, whose error is returned.
 *  @param blob  the checkpoint's bytes, which become the writer's (left empty); unused without one. */
mho_err writer_put(writer *w, const mho_store_update *u, mho_blob *blob, mho_errinfo *ei);
/** Wait until all is written; the first error there was. */
mho_err writer_drain(writer *w, mho_errinfo *ei);
/** After a drain. */
void writer_free(writer *w);

#endif
