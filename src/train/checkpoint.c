/* checkpoint.c - everything that changes while training, as bytes and back.
 *
 * Layout: a header, then for every trained connection its weights (ideal device) or the conductances and other
 * state of both banks of cells, the optimizer's moments and the scheme's accumulator, in that order. What
 * follows from the seeds (device spread, faults, fixed feedback, the order of the data) is drawn again, not
 * stored. Last, and said in the version's upper half, the full scales of every connection where converters take
 * them from data, wires' parts of the effective matrices where those are not solved exactly after every update
 * (array.wire.refresh), w_max of every connection where it came with weights from elsewhere, at
 * the very end, and in mid-epoch what the meter of energy has counted: a checkpoint may have them and the config
 * not, or the other way round, when a network is evaluated with other circuits than it was trained with.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "array/weights.h"
#include "train/trainer.h"

enum {
  CHECKPOINT_VERSION = 2,
  WITH_SCALES = 1 << 16,
  WITH_METER = 1 << 17,
  WITH_WIRES = 1 << 18,
  WITH_WRITES = 1 << 19,
  WITH_DRIVEN = 1 << 20,
  WITH_RANGES = 1 << 21
};

typedef struct header {
  char magic[8];            /* "mho ckpt" */
  uint32_t version, scalar; /* bytes of an mho_real */
  uint64_t size;            /* of the whole, to notice a cut one */
  int64_t epoch, batch, update;
  mho_epoch_sums sums;
} header;

typedef mho_cells_piece piece; /* one array of the state */

enum { PIECES_EACH = 2 * MHO_CELLS_PIECES + MHO_PROGRAM_STATES + 1 };

/* The arrays of connection c, in order; returns how many. */
static int pieces_of(const mho_trainer *t, int c, piece *p) {
  const mho_crossbar *x = t->net->connection[c].xb;
  size_t cells = (size_t)x->rows * (size_t)x->cols;
  int n = 0;
  if (x->pos) {
    n += mho_cells_pieces(x->pos, p);
    n += mho_cells_pieces(x->neg, p + n);
  } else {
    p[n++] = (piece){x->weights->programmed, cells * sizeof *x->weights->programmed};
  }
  for (int k = 0; k < t->optimizer->n_states; k++)
    p[n++] = (piece){t->moment[k][c], cells * sizeof(mho_real)};
  if (t->accumulator)
    p[n++] = (piece){t->accumulator[c], cells * sizeof(mho_real)};
  return n;
}

static size_t pulses_size(const mho_trainer *t) {
  return (size_t)t->net->n_trained * sizeof *t->connection_pulses;
}

static size_t writes_size(const mho_trainer *t) {
  return (size_t)t->net->n_trained * sizeof *t->writes;
}

static size_t total_size(const mho_trainer *t) {
  size_t size = sizeof(header) + pulses_size(t);
  piece p[PIECES_EACH];
  for (int c = 0; c < t->net->n_trained; c++)
    for (int i = 0, n = pieces_of(t, c, p); i < n; i++)
      size += p[i].size;
  return size;
}

static size_t scales_size(const mho_trainer *t) {
  size_t n = 0;
  for (int c = 0; c < t->net->n_connections; c++)
    n += (size_t)t->net->connection[c].xb->rows + (size_t)t->net->connection[c].xb->cols;
  return n * sizeof(mho_real);
}

static bool has_scales(const mho_trainer *t) {
  const mho_scales *s = t->net->connection[0].xb->scales;
  return s && s->valid;
}

/* Copy full scales out of the crossbars, or into them where they want some. */
static void copy_scales(const mho_trainer *t, char *at, bool out) {
  for (int c = 0; c < t->net->n_connections; c++) {
    const mho_crossbar *x = t->net->connection[c].xb;
    size_t size = ((size_t)x->rows + (size_t)x->cols) * sizeof(mho_real);
    if (out)
      memcpy(at, x->scales->most, size);
    else if (x->scales)
      memcpy(x->scales->most, at, size);
    if (x->scales)
      x->scales->valid = true;
    at += size;
  }
}

/* What a meter has counted, for every connection that could have one. */
static size_t meter_size(const mho_trainer *t) {
  size_t n = 3; /* steps, samples */
  for (int k = 0; k < t->net->n_links; k++)
    n += 1 + (size_t)mho_link_inputs(t->net, &t->net->link[k]);
  return n * sizeof(double);
}

static void copy(char **at, void *data, size_t size, bool out) {
  if (out)
    memcpy(*at, data, size);
  else
    memcpy(data, *at, size);
  *at += size;
}

static void copy_meter(const mho_meter *from, char *at, bool out) {
  mho_meter *m = (mho_meter *)(uintptr_t)from;
  copy(&at, m->steps, sizeof m->steps, out);
  copy(&at, &m->samples, sizeof m->samples, out);
  copy(&at, m->reads, (size_t)m->n_links * sizeof *m->reads, out);
  for (int k = 0; k < m->n_links; k++)
    copy(&at, m->squares[k], (size_t)m->inputs[k] * sizeof **m->squares, out);
}

/* What a meter has counted in continuous time. */
static size_t driven_size(const mho_trainer *t) {
  size_t n = 2; /* times */
  for (int k = 0; k < t->net->n_links; k++)
    n += (size_t)mho_link_inputs(t->net, &t->net->link[k]);
  return n * sizeof(double);
}

static void copy_driven(const mho_meter *from, char *at, bool out) {
  mho_meter *m = (mho_meter *)(uintptr_t)from;
  copy(&at, m->time, sizeof m->time, out);
  for (int k = 0; k < m->n_links; k++)
    copy(&at, m->driven[k], (size_t)m->inputs[k] * sizeof **m->driven, out);
}

static size_t wires_size(const mho_trainer *t) {
  return t->net->n_weights * sizeof(mho_real);
}

static bool has_wires(const mho_trainer *t) {
  return t->net->connection[0].xb->weights->wired_base != NULL;
}

/* Copy wires' parts out of the trained crossbars, or into them. */
static void copy_wires(const mho_trainer *t, char *at, bool out) {
  for (int c = 0; c < t->net->n_trained; c++) {
    const mho_crossbar *x = t->net->connection[c].xb;
    copy(&at, x->weights->wired_base, (size_t)x->rows * (size_t)x->cols * sizeof *x->weights->wired_base,
         out);
  }
}

static size_t ranges_size(const mho_trainer *t) {
  return (size_t)t->net->n_trained * sizeof(double);
}

/* w_max of the trained crossbars to the end of a checkpoint. */
static void save_ranges(const mho_trainer *t, char *end) {
  char *at = end - ranges_size(t);
  for (int c = 0; c < t->net->n_trained; c++) {
    double w_max = mho_crossbar_w_max(t->net->connection[c].xb);
    copy(&at, &w_max, sizeof w_max, true);
  }
}

/* And back; false when they cannot be. */
static bool load_ranges(mho_trainer *t, const char *end) {
  double w_max[MHO_EDGES_MAX];
  memcpy(w_max, end - ranges_size(t), ranges_size(t));
  for (int c = 0; c < t->net->n_trained; c++)
    if (!(w_max[c] > 0 && isfinite(w_max[c])))
      return false;
  mho_trainer_range(t, w_max);
  return true;
}

mho_err mho_trainer_save(const mho_trainer *t, mho_checkpoint_row *out, mho_errinfo *ei) {
  bool meter = t->meter && t->batch > 0;
  size_t size = total_size(t) + (has_scales(t) ? scales_size(t) : 0) + (has_wires(t) ? wires_size(t) : 0) +
                (meter ? meter_size(t) + writes_size(t) + driven_size(t) : 0) +
                (t->ranged ? ranges_size(t) : 0);
  char *bytes = mho_alloc(size, 1), *at = bytes;
  if (!bytes)
    return mho_fail(ei, MHO_ENOMEM, "no memory for a checkpoint of %zu bytes", size);
  header h = {.magic = "mho ckpt",
              .version = CHECKPOINT_VERSION | (has_scales(t) ? WITH_SCALES : 0u) |
                         (has_wires(t) ? WITH_WIRES : 0u) |
                         (meter ? WITH_METER | WITH_WRITES | WITH_DRIVEN : 0u) |
                         (t->ranged ? WITH_RANGES : 0u),
              .scalar = sizeof(mho_real),
              .size = size,
              .epoch = t->epoch,
              .batch = t->batch,
              .update = t->update,
              .sums = t->sums};
  memcpy(at, &h, sizeof h);
  at += sizeof h;
  memcpy(at, t->connection_pulses, pulses_size(t));
  at += pulses_size(t);
  piece p[PIECES_EACH];
  for (int c = 0; c < t->net->n_trained; c++)
    for (int i = 0, n = pieces_of(t, c, p); i < n; i++, at += p[i - 1].size)
      memcpy(at, p[i].data, p[i].size);
  if (has_scales(t)) {
    copy_scales(t, at, true);
    at += scales_size(t);
  }
  if (has_wires(t)) {
    copy_wires(t, at, true);
    at += wires_size(t);
  }
  if (meter) {
    memcpy(at, t->writes, writes_size(t));
    copy_meter(t->meter, at + writes_size(t), true);
    copy_driven(t->meter, at + writes_size(t) + meter_size(t), true);
  }
  if (t->ranged)
    save_ranges(t, bytes + size);
  *out = (mho_checkpoint_row){.epoch = t->epoch, .batch = t->batch, .blob = {bytes, size}};
  return MHO_OK;
}

mho_err mho_trainer_load(mho_trainer *t, const mho_blob *blob, mho_errinfo *ei) {
  header h;
  if (blob->size < sizeof h)
    return mho_fail(ei, MHO_EDATA, "the checkpoint is cut short (%zu bytes)", blob->size);
  memcpy(&h, blob->data, sizeof h);
  if (memcmp(h.magic, "mho ckpt", 8) || (h.version & 0xffff) != CHECKPOINT_VERSION ||
      h.scalar != sizeof(mho_real))
    return mho_fail(ei, MHO_EDATA,
                    "the checkpoint is not one that this mho reads (version %u, %u-byte numbers)", h.version,
                    h.scalar);
  bool scales = h.version & WITH_SCALES, meter = h.version & WITH_METER, wires = h.version & WITH_WIRES;
  bool writes = h.version & WITH_WRITES, driven = h.version & WITH_DRIVEN; /* older programs wrote none */
  bool ranges = h.version & WITH_RANGES;
  size_t size = total_size(t) + (scales ? scales_size(t) : 0) + (wires ? wires_size(t) : 0) +
                (writes ? writes_size(t) : 0) + (meter ? meter_size(t) : 0) + (driven ? driven_size(t) : 0) +
                (ranges ? ranges_size(t) : 0);
  if (h.size != blob->size || blob->size != size)
    return mho_fail(ei, MHO_EDATA,
                    "the checkpoint has %zu bytes, this network needs %zu: it belongs to another config",
                    blob->size, size);
  char *at = (char *)blob->data + sizeof h;
  if (!ranges)
    mho_trainer_range(t, NULL);
  else if (!load_ranges(t, (const char *)blob->data + blob->size))
    return mho_fail(ei, MHO_EDATA,
                    "the checkpoint has a connection whose largest weight is no number above 0");
  mho_trainer_settled_in(t);
  memcpy(t->connection_pulses, at, pulses_size(t));
  at += pulses_size(t);
  piece p[PIECES_EACH];
  for (int c = 0; c < t->net->n_trained; c++) {
    mho_crossbar *x = t->net->connection[c].xb;
    for (int i = 0, n = pieces_of(t, c, p); i < n; i++, at += p[i - 1].size)
      memcpy(p[i].data, at, p[i].size);
    mho_crossbar_refresh(x, 0, (size_t)x->rows * (size_t)x->cols);
  }
  if (scales) {
    copy_scales(t, at, false);
    at += scales_size(t);
  }
  t->update = h.update;
  mho_network_refresh(t->net, t->update, true);
  if (wires && has_wires(t)) {
    copy_wires(t, at, false);
    mho_network_refresh(t->net, t->update, false);
  }
  if (wires)
    at += wires_size(t);
  if (writes) {
    memcpy(t->writes, at, writes_size(t));
    at += writes_size(t);
  }
  if (meter && t->meter)
    copy_meter(t->meter, at, false);
  if (meter)
    at += meter_size(t);
  if (driven && t->meter)
    copy_driven(t->meter, at, false);
  t->epoch = (int)h.epoch;
  t->batch = h.batch;
  t->sums = h.sums;
  return MHO_OK;
}
