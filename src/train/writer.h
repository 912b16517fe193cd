/* writer.h - a thread that writes a run's epochs and checkpoints beside the training.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TRAIN_WRITER_H
#define MHO_TRAIN_WRITER_H

#include "mho/store.h"

typedef struct writer writer;

/** Start the thread. The store is its own from a put to the next drain. MHO_ENOMEM. */
mho_err mho__writer_new(mho_store *store, writer **out, mho_errinfo *ei);
/** Hand over an update, which has at most one settle record; the run must be given, and its texts
 * and the layers' names must last. Waits for the one before, whose error is returned.
 * @param blob  the checkpoint's bytes, which become the writer's (left empty); unused without
 *              one. */
mho_err mho__writer_put(writer *w, const mho_store_update *u, mho_blob *blob, mho_errinfo *ei);
/** Wait until all is written; the first error there was. */
mho_err mho__writer_drain(writer *w, mho_errinfo *ei);
/** End the thread; after a drain. */
void mho__writer_free(writer *w);

#endif
