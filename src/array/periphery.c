/* periphery.c - a crossbar read through drivers, amplifiers and converters, and the noise of
 * all of them.
 *
 *   v_i = DAC(a x_i)/a (1 + gamma_i) + o_i + n_i          drivers: converter, mismatch, noise
 *   u_j = (1 + gamma_j)(sum_i v_i W_ij + noise_j) + o_j   sense amplifiers
 *   y_j = ADC(b sat(u_j))/b                               saturation, converter
 *
 * W is the crossbar's effective matrix. Noise of the cells is drawn for the column sum, with its
 * exact variance, not cell by cell (a sum of independent Gaussian cells is Gaussian, so nothing is
 * approximated):
 *
 *   var_j = sum_i v_i^2 sum_k (gain_k sigma_ijk)^2/g_unit^2, over the banks k
 *
 * Constant noise, sigma = n (g_max - g_min), gives var_j = 2 (n w_max)^2 |v|^2 of pairs; of
 * proportional noise, sigma = n G, it is G+^2 + G-^2 that enters, not W^2. The deviate of a line is
 * named by (update, phase, step) as far as noise.redraw says; it is scaled by each phase's
 * deviation, which is what noise correlated between the phases means here. 1/f noise of phase
 * change memory (device.read_noise.law pcm) is integrated from a read's duration to the time since
 * programming: nearly all of it stays the same through a sample, so redraw auto holds it that long
 * and averaged reads take nothing off it.
 *
 * A cell's current may bend with its voltage, by the I-V law of the device; a law whose shape is
 * the same for all cells bends the voltages v, one that depends on the conductance adds W2^T v^2 +
 * W3^T v^3.
 *
 * With array.slices n an input is given in n reads, each of a digit of the driver's code, base 2^d,
 * with the code's sign:
 *
 *   code = s sum_k 2^(dk) c_k,  y_j = sum_k 2^(dk) top/most ADC(u_j of s c_k/top),  top = 2^d - 1
 *
 * Every digit drives its line up to the full scale, each read has noise, amplifiers and a
 * conversion of its own, and the numbers are shifted and added. Noise that is not new at every read
 * has the same deviates in all slices.
 *
 * Numbers at the drivers are activities (full scale dac_range), those at the sense lines summed
 * inputs of a neuron (full scale adc_full_scale, or what calibration saw on data). Noise and offset
 * of an amplifier are fractions of its full scale. The two directions of a crossbar have drivers
 * and sense lines of their own.
 *
 * Analog neurons (coupling analog) need converters only at the chip's border: the input, the error
 * and the read-out pass through them, hidden layers are joined by wires, and the states are
 * converted when they are measured for learning. Between clocked digital neurons every product is
 * converted.
 *
 * Analog differencing: the sense line holds its analog value of the free phase, and in a nudged
 * phase the converter sees the change since then, amplified; what it makes of it is added to the
 * number of the free phase. The number the free phase ends with is rounded as ever, but its
 * rounding error is the same in both states and cancels in their difference. A line that the free
 * phase does not read (the error's) holds 0, and its whole sum is amplified: a difference_gain that
 * clips it keeps its sign only, and of tiles a sign each, which is no longer the sign of the sum;
 * ranging clips nothing.
 *
 * Where a line has a converter, a matrix with more inputs than a physical tile has lines
 * (array.wire.tile, with or without wires) is read tile by tile: u_j, its noise, amplifier and
 * conversion are those of the inputs i of a tile, and the tiles' numbers are added; or, with
 * `tiles: analog`, their currents are, before one converter. All tiles of a line have the same full
 * scale, the largest sum that a tile of it saw. Tiles side by side share the drivers of their rows.
 * Without a converter, also between analog neurons, currents are added.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/periphery.h"
#include "array/perturbation.h"
#include "array/weights.h"

#include <string.h>

#include "base/vmath.h"
#include "mho/model/check.h"

static const mho_periphery *params_of(const mho_experiment *e) {
  return (const mho_periphery *)(const void *)e->array.params;
}

/* Whether the cells that reads show have noise of their own. */
static bool cells_have_noise(const mho_experiment *e) {
  return mho_experiment_has_cells(e) && mho_device_reads_noisy(&e->device_config);
}

static const char *without_read_noise(const mho_experiment *e) {
  return params_of(e)->read_noise > 0 ? NULL : "array.read_noise is 0";
}

static const char *without_device_noise(const mho_experiment *e) {
  if (params_of(e)->read_noise > 0 || cells_have_noise(e))
    return NULL;
  return "devices have no noise at a read (array.read_noise, device.read_noise)";
}

/* What is of a full scale that nothing refers to. */
static const char *without_input_scale(const mho_experiment *e) {
  const mho_periphery *p = params_of(e);
  bool is_measured = p->adc_bits || p->output_noise > 0;
  if (p->dac_bits || p->input_noise > 0 || p->input_offset > 0 || is_measured)
    return NULL;
  return "drivers have no converters, noise or offset (array.dac_bits)";
}

static const char *without_output_scale(const mho_experiment *e) {
  const mho_periphery *p = params_of(e);
  if (p->adc_bits || p->output_noise > 0 || p->offset > 0)
    return NULL;
  return "sense lines have no converters, noise or offset (array.adc_bits)";
}

static const char *without_calibration(const mho_experiment *e) {
  const char *why = without_output_scale(e);
  if (why || params_of(e)->adc_range == MHO_ADC_CALIBRATED)
    return why;
  return "the full scale is fixed (array.adc_range)";
}

static const char *with_calibration(const mho_experiment *e) {
  const char *why = without_output_scale(e);
  if (why || params_of(e)->adc_range != MHO_ADC_CALIBRATED)
    return why;
  return "the full scale is calibrated before the first update (array.adc_range)";
}

static const char *without_adc(const mho_experiment *e) {
  return params_of(e)->adc_bits ? NULL : "sense lines have no converters (array.adc_bits)";
}

static const char *without_dac(const mho_experiment *e) {
  return params_of(e)->dac_bits ? NULL : "drivers have no converters (array.dac_bits)";
}

static const char *without_holding(const mho_experiment *e) {
  const char *why = without_adc(e);
  if (why || params_of(e)->differencing == MHO_DIFFERENCING_ANALOG)
    return why;
  return "differences are taken of numbers (array.differencing)";
}

/* What is converted at the border alone, or everywhere; its energy, too. */
static const char *without_border(const mho_experiment *e) {
  const mho_periphery *p = params_of(e);
  if (mho_experiment_has_cells(e) || p->dac_bits)
    return NULL;
  return without_output_scale(e);
}

#define P_REAL(field, name, initial, low, high, ...)                                               \
  MHO_P_REAL(mho_periphery, field, name, "", initial, low, high, __VA_ARGS__)
#define P_CHOICE(field, name, words, ...)                                                          \
  MHO_P_CHOICE(mho_periphery, field, name, words, 0, __VA_ARGS__)
static const mho_param table[] = {
    P_REAL(read_noise, "read_noise", 0, 0, 10,
           "standard deviation of a device's conductance at a read, of the range or of itself; "
           "0: the device's own"),
    P_CHOICE(law, "noise.law", "constant|proportional",
             "read_noise is a fraction of the range, or of the conductance",
             .idle = without_read_noise),
    P_CHOICE(redraw, "noise.redraw", "auto|read|phase|sample",
             "noise is new at every product, once a phase, or once a sample (the same in both "
             "phases); auto: read, but sample for cells of device.read_noise.law pcm or cmo, whose "
             "1/f noise is that slow",
             .idle = without_device_noise),
    P_REAL(input_noise, "input_noise", 0, 0, 10,
           "standard deviation of a driver's voltage, of its full scale"),
    P_REAL(output_noise, "output_noise", 0, 0, 10,
           "standard deviation of a sense amplifier, of its full scale"),
    MHO_P_INT(mho_periphery, dac_bits, "dac_bits", 0, 0, MHO_CONVERTER_BITS,
              "of a driver's converter; 0: exact"),
    MHO_P_INT(mho_periphery, slices, "slices", 1, 1, MHO_CONVERTER_BITS - 1,
              "reads that an input is given in, a digit of the driver's code in each: (dac_bits - "
              "1)/slices bits and the sign; each is converted, shifted and added",
              .idle = without_dac),
    P_REAL(dac_range, "dac_range", 1, 1e-6, 1e6,
           "activity at the full scale of drivers and of measured states",
           .idle = without_input_scale),
    MHO_P_INT(mho_periphery, adc_bits, "adc_bits", 0, 0, MHO_CONVERTER_BITS,
              "of a sense line's converter; 0: exact"),
    P_CHOICE(adc_range, "adc_range", "calibrated|fixed",
             "full scale from the largest sum (of a tile) that training images give, or "
             "adc_full_scale",
             .idle = without_output_scale),
    P_REAL(adc_full_scale, "adc_full_scale", 8, 1e-6, 1e6,
           "sum that a converter sees (of a tile) at full scale, fixed or before it is calibrated",
           .idle = with_calibration),
    P_CHOICE(adc_columns, "adc_columns", "shared|own",
             "calibrated: one full scale for the sense lines of a direction, or one for each "
             "(a gain a column)",
             .idle = without_calibration),
    MHO_P_INT(mho_periphery, calibration_every, "calibration.every", 50, 0, 1e9,
              "updates from one calibration to the next: sums grow as weights learn; 0: once, "
              "before the first",
              .idle = without_calibration),
    P_REAL(calibration_margin, "calibration.margin", 1, 0.01, 100,
           "full scale over the largest sum seen, or its percentile", .idle = without_calibration),
    P_REAL(
        calibration_percentile, "calibration.percentile", 100, 1, 100,
        "the full scale is this percentile of the sums' magnitudes (those of 0 left out), of all "
        "lines or of each (adc_columns); 100: the largest",
        .idle = without_calibration),
    P_CHOICE(ranging, "ranging", "none|input|output|both",
             "amplifiers with a gain of a power of 2 for every vector: before the DAC's range, the "
             "ADC's, or both"),
    P_REAL(saturation, "saturation", 0, 0, 1e6,
           "output at which an amplifier saturates, s tanh(u/s), in summed input; 0: never"),
    P_REAL(gain, "mismatch.gain", 0, 0, 1, "spread of the sense amplifiers' gains, relative"),
    P_REAL(offset, "mismatch.offset", 0, 0, 1, "spread of their offsets, of full scale"),
    P_REAL(input_gain, "mismatch.input_gain", 0, 0, 1, "spread of the drivers' gains, relative"),
    P_REAL(input_offset, "mismatch.input_offset", 0, 0, 1,
           "spread of their offsets, of full scale"),
    MHO_P_INT(mho_periphery, average, "average", 1, 1, MHO_AVERAGE_MAX,
              "reads that are averaged; only noise that is new at every read averages out", ),
    P_CHOICE(coupling, "coupling", "digital|analog",
             "clocked digital neurons, every product converted, or analog ones, converted at the "
             "border only",
             .idle = without_border),
    P_CHOICE(differencing, "differencing", "digital|analog",
             "phases are converted each on its own, or the free one is held and the amplified "
             "change converted",
             .idle = without_adc),
    P_REAL(difference_gain, "difference_gain", 32, 1, 1e6,
           "amplification of the change with analog differencing (with ranging of the output, as "
           "it comes)",
           .idle = without_holding),
    P_CHOICE(tiles, "tiles", "digital|analog",
             "sums of more inputs than array.wire.tile has: each tile's converted and the numbers "
             "added, or the currents added before one ADC",
             .idle = without_adc),
};

/* Inputs in slices are added up as numbers. */
static mho_err check_slices(const mho_periphery *p, mho_errinfo *ei) {
  int bits = (int)p->dac_bits - 1, n = (int)p->slices;
  if (n == 1 || !p->dac_bits)
    return MHO_OK;

  int digit = (bits + n - 1) / n;
  if ((n - 1) * digit >= bits)
    return mho_fail(ei, MHO_ECONFIG,
                    "array.slices: the %d bits of array.dac_bits beside the sign are %d slices of "
                    "%d, not %d: use %d",
                    bits, (bits + digit - 1) / digit, digit, n, (bits + digit - 1) / digit);
  if (p->coupling == MHO_COUPLING_ANALOG)
    return mho_fail(ei, MHO_ECONFIG,
                    "array.slices: slices are added as numbers, and analog neurons get currents "
                    "(array.coupling): use digital, or 1");
  if (p->differencing == MHO_DIFFERENCING_ANALOG)
    return mho_fail(ei, MHO_ECONFIG,
                    "array.slices: a sense line holds one value, not one of every slice "
                    "(array.differencing): use digital, or 1");
  return MHO_OK;
}

static mho_err check(const void *params, mho_errinfo *ei) {
  const mho_periphery *p = params;
  if (p->dac_bits == 1 || p->adc_bits == 1)
    return mho_fail(ei, MHO_ECONFIG,
                    "array.%s: one bit has no code for 0: use 2 or more, or 0 for no converter",
                    p->dac_bits == 1 ? "dac_bits" : "adc_bits");

  if (p->differencing == MHO_DIFFERENCING_ANALOG && mho__periphery_ranges_inputs(p))
    return mho_fail(ei, MHO_ECONFIG,
                    "array.differencing: a held value keeps the gain it was read with: use "
                    "array.ranging none or output");
  return check_slices(p, ei);
}

static bool noisy(const void *params) {
  const mho_periphery *p = params;
  return p->read_noise > 0 || p->input_noise > 0 || p->output_noise > 0;
}

static bool has_converters(const mho_periphery *p) {
  return p->dac_bits || p->adc_bits;
}

static bool lossy(const void *params) {
  const mho_periphery *p = params;
  return noisy(p) || has_converters(p) || p->saturation > 0 || p->gain > 0 || p->offset > 0 ||
         p->input_gain > 0 || p->input_offset > 0;
}

static void converters(const void *params, mho_array_converters *out) {
  const mho_periphery *p = params;
  *out = (mho_array_converters){(int)p->dac_bits, (int)p->adc_bits,
                                (int)p->average,  p->coupling == MHO_COUPLING_ANALOG,
                                p->dac_range,     p->dac_bits ? (int)p->slices : 1};
}

static int conversions(const mho_crossbar *x, bool transposed) {
  const mho_periphery_own *o = x->own;
  return o->conversions[transposed];
}

static bool replaces_noise(const void *params) {
  return ((const mho_periphery *)params)->read_noise > 0;
}

static bool holds(const void *params) {
  const mho_periphery *p = params;
  return p->differencing == MHO_DIFFERENCING_ANALOG && p->adc_bits &&
         p->coupling == MHO_COUPLING_DIGITAL;
}

/* ---------------------------------------------------------------- a read */

enum {
  BLOCK = 1024, /* numbers that pass the sense amplifiers together: whole rows, or one longer row */
  DRAWN = 1024  /* deviates drawn at a time */
};

/* What applies to a read, worked out once. */
typedef struct chain {
  const mho_crossbar *x;
  const mho_read *r;
  const mho_periphery *p;
  const mho_periphery_own *own;
  int in, out;
  bool dac, adc;       /* converters at this read's ends */
  bool drivers, sense; /* whether anything changes the inputs, the sums */
  int repeats;         /* reads averaged after the converters */
  /** Without a converter or saturation several reads that are averaged are one read with this much
   * of the noise, and with this much of that of the cells. */
  mho_real noise, cell_noise;
  mho_real *v;                  /* [n x in] voltages of the lines */
  mho_real *squares, *variance; /* [n x in], [n x out] */
  mho_real *sum;                /* [n x out] what the cells make of the voltages */
  mho_real *gain;               /* [n] of ranging before the DAC */
  mho_real *block;              /* of BLOCK or a row */
  mho_real fixed;
  const mho_real *full; /* full scale of the sense lines */
  int stride;           /* 0: one for all */
  int conversions;      /* tiles that are converted apart, or 1 */
  int tile, first, n;   /* the tile being read, its first input, how many it has */
  mho_slicing slices;   /* of the inputs */
  int slice;            /* the one being read */
} chain;

static int widest(const mho_crossbar *x) {
  return mho_max(x->rows, x->cols);
}

static size_t scratch(const mho_crossbar *x, int n) {
  size_t wide = (size_t)widest(x), block = (size_t)mho_max(widest(x), BLOCK);
  return mho_crossbar_lossy(x) ? (4 * wide + 1) * (size_t)n + wide + block : 0;
}

/* Numbers of all samples at the drivers. */
static size_t all_inputs(const chain *c) {
  return (size_t)c->r->n * (size_t)c->in;
}

/* Full scales of the sense lines: fixed, or the largest sums seen, at the end of the scratch. */
static void find_scales(chain *c, mho_real *room) {
  const mho_periphery *p = c->p;
  const mho_scales *s = c->x->scales;

  c->fixed = (mho_real)p->adc_full_scale;
  c->full = &c->fixed;
  c->stride = 0;
  if (!s || !s->valid)
    return;

  const mho_real *most = s->most + (c->r->transposed ? c->x->cols : 0);
  mho_real margin = (mho_real)p->calibration_margin, largest = 0;
  for (int j = 0; j < c->out; j++)
    largest = most[j] > largest ? most[j] : largest;
  if (!(largest > 0))
    return; /* no sum was seen in this direction */
  c->fixed = margin * largest;
  if (p->adc_columns == MHO_ADC_SHARED)
    return;

  for (int j = 0; j < c->out; j++) /* a line that saw nothing gets the largest one's */
    room[j] = margin * (most[j] > 0 ? most[j] : largest);
  c->full = room;
  c->stride = 1;
}

/* Turn to tile number t. */
static void select_tile(chain *c, int t) {
  int depth = c->conversions > 1 ? c->own->depth[c->r->transposed] : c->in;
  c->tile = t;
  c->first = t * depth;
  c->n = mho_min(c->in - c->first, depth);
}

/* What lies where in the scratch, with full scales at its end. */
static void lay_out(chain *c) {
  const mho_crossbar *x = c->x;
  size_t n = (size_t)c->r->n, block = n * (size_t)widest(x);
  c->v = c->r->scratch;
  c->squares = c->v + block;
  c->variance = c->squares + block;
  c->sum = c->variance + block;
  c->gain = c->sum + block;
  mho_real *scales = c->gain + n;
  c->block = scales + widest(x);
  find_scales(c, scales);
}

static void set_up(chain *c, const mho_crossbar *x, const mho_read *r) {
  const mho_periphery *p = x->params;
  const mho_periphery_own *own = x->own;
  bool analog = p->coupling == MHO_COUPLING_ANALOG;

  *c = (chain){.x = x, .r = r, .p = p, .own = own};
  c->in = mho__read_inputs(x, r);
  c->out = mho__read_outputs(x, r);
  lay_out(c);

  /* what there is at the drivers and at the sense lines */
  c->dac = p->dac_bits && !(analog && r->neurons_in);
  c->adc = p->adc_bits && !(analog && r->neurons_out);
  c->drivers = c->dac || p->input_noise > 0 || own->input_gain[r->transposed] ||
               own->input_offset[r->transposed] || own->law != MHO_IV_OHMIC ||
               mho__periphery_ranges_inputs(p);
  c->sense = c->adc || own->gain[r->transposed] || own->offset[r->transposed] ||
             p->saturation > 0 || p->output_noise > 0;

  /* reads that are averaged */
  bool linear = !c->adc && !(p->saturation > 0);
  int reads = mho__periphery_repeats(own, p);
  c->repeats = linear ? 1 : reads;
  c->noise = linear ? (mho_real)(1 / sqrt(reads)) : 1;
  c->cell_noise = own->redraw_cells == MHO_REDRAW_READ ? c->noise : 1;

  c->conversions = c->adc ? own->conversions[r->transposed] : 1;
  c->slices = mho__slicing_of(c->dac && !r->whole ? p->dac_bits : 0, p->slices);
  select_tile(c, 0);
}

/* ---------------------------------------------------------------- drivers */

static uint64_t moment_of(const chain *c, int redraw) {
  const mho_clock *t = &c->r->clock;
  return mho__periphery_moment(redraw, t->update, t->phase, t->step);
}

/* The stream of the slice being read: of noise that is new at every read. */
static mho_rng stream_of_slice(const chain *c, mho_rng rng, int redraw) {
  return mho__stream_tile(rng, redraw == MHO_REDRAW_READ ? c->slice * c->conversions : 0);
}

/* Voltages for sample s, without noise. */
static void sample_voltages(const chain *c, size_t s) {
  const mho_periphery *p = c->p;
  const mho_real *gains = c->own->input_gain[c->r->transposed];
  const mho_real *offsets = c->own->input_offset[c->r->transposed];
  const mho_real *x = c->r->x + s * (size_t)c->in;
  mho_real *v = c->v + s * (size_t)c->in, range = (mho_real)p->dac_range;
  mho_real a = mho__periphery_ranges_inputs(p) ? mho__ranging_gain(c->in, &range, 0, x) : 1;
  c->gain[s] = a;

  for (int i = 0; i < c->in; i++)
    v[i] = a * x[i];
  if (c->dac)
    mho__convert(mho__converter_of(p->dac_bits), c->in, 1, &range, 0, v);
  if (c->slices.n > 1)
    mho__slice(&c->slices, c->slice, c->in, range, v, v);
  if (gains)
    for (int i = 0; i < c->in; i++)
      v[i] *= gains[i];
  if (offsets)
    for (int i = 0; i < c->in; i++)
      v[i] += offsets[i] * range;
}

static void add_driver_noise(const chain *c, mho_real sigma, int repeat) {
  const mho_read *r = c->r;
  mho_rng rng = mho__stream_read(c->x->read_noise, r->transposed, MHO_NOISE_INPUT, repeat);
  rng = stream_of_slice(c, rng, c->own->redraw);
  uint64_t moment = moment_of(c, c->own->redraw);
  size_t count = all_inputs(c);

  for (size_t i0 = 0; i0 < count; i0 += DRAWN) {
    float xi[DRAWN];
    size_t n = mho_min_size(count - i0, DRAWN);
    mho_rng_normal(rng, moment, (uint64_t)r->sample0 * (uint64_t)c->in + i0, n, xi);
    for (size_t i = 0; i < n; i++)
      c->v[i0 + i] += sigma * (mho_real)xi[i];
  }
}

/* Voltages of the driven lines, in units of an activity and times the sample's gain. */
static void line_voltages(const chain *c, int repeat) {
  mho_real range = (mho_real)c->p->dac_range;
  mho_real sigma = (mho_real)c->p->input_noise * range * c->noise;
  for (int s = 0; s < c->r->n; s++)
    sample_voltages(c, (size_t)s);
  if (sigma > 0)
    add_driver_noise(c, sigma, repeat);
  mho__periphery_bend(c->own, all_inputs(c), c->v);
}

/* ---------------------------------------------------------------- cells */

/* to = keep to + v op(m), the tile's inputs only: v [n x in], m [rows x cols], to [n x out]. */
static void multiply(const chain *c, const mho_real *v, const mho_real *m, mho_real keep,
                     mho_real *to) {
  size_t at = (size_t)c->first * (c->r->transposed ? 1 : (size_t)c->x->cols);
  mho_gemm(false, c->r->transposed, c->r->n, c->out, c->n, 1, v + c->first, c->in, m + at,
           c->x->cols, keep, to, c->out);
}

/* Variance of the cells' noise in the tile's sums of all samples, [n x out]. */
static void cell_variance(const chain *c, const mho_real *v) {
  if (c->own->variance) {
    for (size_t i = 0; i < all_inputs(c); i++)
      c->squares[i] = v[i] * v[i];
    multiply(c, c->squares, c->own->variance, 0, c->variance);
    return;
  }

  for (int s = 0; s < c->r->n; s++) { /* the same for every line: one number a sample */
    const mho_real *row = v + (size_t)s * (size_t)c->in + c->first;
    mho_real sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < c->n; i++)
      sum += row[i] * row[i];
    c->variance[s] = sum * c->own->constant;
  }
}

/* Currents that go with the square and the cube of the voltage, differently from cell to cell. */
static void add_curvature(const chain *c) {
  size_t n = all_inputs(c);
  for (size_t i = 0; i < n; i++)
    c->squares[i] = c->v[i] * c->v[i];
  multiply(c, c->squares, c->own->square, 1, c->sum);
  for (size_t i = 0; i < n; i++)
    c->squares[i] *= c->v[i];
  multiply(c, c->squares, c->own->cube, 1, c->sum);
}

/* ---------------------------------------------------------------- noise of the sums */

/* Noise that one deviate serves. */
typedef struct noise {
  int kind, redraw;   /* MHO_NOISE_..., MHO_REDRAW_... */
  bool cells;         /* that of the cells, ... */
  mho_real amplifier; /* ... and that of the sense amplifiers, of full scale; 0: none */
} noise;

/* Add noise to line sums of sample s, [n] from line j. */
static void add_row_noise(const chain *c, const noise *from, size_t s, size_t j, size_t n,
                          mho_real scale, const float *xi, mho_real *y) {
  bool each = c->own->variance != NULL;
  const mho_real *var = c->variance + (each ? s * (size_t)c->out + j : s);
  mho_real amplifier = from->amplifier;

  if (amplifier > 0) {
    for (size_t k = 0; k < n; k++) {
      mho_real own = amplifier * c->full[c->stride ? j + k : 0];
      size_t at = each ? k : 0;
      mho_real cells = from->cells ? var[at] : 0;
      y[k] += scale * real_sqrt(cells + own * own) * (mho_real)xi[k];
    }
  } else if (each) {
    for (size_t k = 0; k < n; k++)
      y[k] += scale * real_sqrt(var[k]) * (mho_real)xi[k];
  } else {
    mho_real sigma = scale * real_sqrt(var[0]);
    for (size_t k = 0; k < n; k++)
      y[k] += sigma * (mho_real)xi[k];
  }
}

/* The same for `rows` samples from s0, [rows x out] at y. */
static void add_noise_from(const chain *c, const noise *from, int s0, int rows, mho_real scale,
                           int repeat, mho_real *y) {
  const mho_read *r = c->r;
  float xi[DRAWN];
  mho_rng rng = mho__stream_tile(
      mho__stream_read(c->x->read_noise, r->transposed, from->kind, repeat), c->tile);
  rng = stream_of_slice(c, rng, from->redraw);
  uint64_t moment = moment_of(c, from->redraw);
  size_t out = (size_t)c->out, first = (size_t)s0 * out, n = (size_t)rows * out;

  for (size_t i0 = 0; i0 < n; i0 += DRAWN) {
    size_t m = mho_min_size(n - i0, DRAWN);
    mho_rng_normal(rng, moment, (uint64_t)r->sample0 * out + first + i0, m, xi);
    for (size_t i = 0, end; i < m; i += end) { /* row by row */
      size_t at = first + i0 + i, j = at % out;
      end = mho_min_size(out - j, m - i);
      add_row_noise(c, from, at / out, j, end, scale, xi + i, y + i0 + i);
    }
  }
}

/* Noise of cells and sense amplifiers, times scale: by one deviate where both are redrawn alike. */
static void add_noise(const chain *c, int s0, int rows, mho_real scale, int repeat, mho_real *y) {
  const mho_periphery_own *o = c->own;
  mho_real amplifier = (mho_real)c->p->output_noise;

  if (o->redraw_cells == o->redraw) {
    noise both = {MHO_NOISE_CELLS, o->redraw, o->noisy, amplifier};
    add_noise_from(c, &both, s0, rows, scale * c->noise, repeat, y);
    return;
  }

  noise cells = {MHO_NOISE_CELLS, o->redraw_cells, true, 0};
  noise amplifiers = {MHO_NOISE_OUTPUT, o->redraw, false, amplifier};
  add_noise_from(c, &cells, s0, rows, scale * c->cell_noise, 0, y);
  if (amplifier > 0)
    add_noise_from(c, &amplifiers, s0, rows, scale * c->noise, repeat, y);
}

/* ---------------------------------------------------------------- sense lines */

/* The sense amplifiers of a sample's lines. */
static void amplify(const chain *c, mho_real *u) {
  const mho_real *gains = c->own->gain[c->r->transposed];
  const mho_real *offsets = c->own->offset[c->r->transposed];
  size_t own = (size_t)c->tile * (size_t)c->out;
  mho_real top = (mho_real)c->p->saturation;

  if (gains)
    for (int j = 0; j < c->out; j++)
      u[j] *= gains[own + (size_t)j];
  if (offsets)
    for (int j = 0; j < c->out; j++)
      u[j] += offsets[own + (size_t)j] * c->full[j * c->stride];
  if (top > 0) {
    for (int j = 0; j < c->out; j++)
      u[j] = u[j] / top;
#pragma omp simd
    for (int j = 0; j < c->out; j++)
      u[j] = top * real_tanh(u[j]);
  }
}

static void convert(const chain *c, mho_real least_gain, mho_real *u) {
  bool ranging = mho__periphery_ranges_outputs(c->p);
  mho_real gain = ranging ? mho__ranging_gain(c->out, c->full, c->stride, u) : least_gain;
  mho__convert(mho__converter_of(c->p->adc_bits), c->out, gain, c->full, c->stride, u);
}

/* to = (the reads before) + share u: the mean of what is averaged. */
static void hold_share(const chain *c, int repeat, const mho_real *u, mho_real *to) {
  mho_real share = 1 / (mho_real)c->repeats;
  for (int j = 0; j < c->out; j++)
    to[j] = (repeat ? to[j] : 0) + share * u[j];
}

/* Convert what a held line has changed by since the free phase, or convert and hold. */
static void convert_held(const chain *c, size_t at, int repeat, mho_real *u) {
  mho_real *analog = c->r->hold.analog + at, *digital = c->r->hold.digital + at;
  if (c->r->hold.subtract) {
    for (int j = 0; j < c->out; j++)
      u[j] -= analog[j];
    convert(c, (mho_real)c->p->difference_gain, u);
    for (int j = 0; j < c->out; j++)
      u[j] += digital[j];
    return;
  }
  hold_share(c, repeat, u, analog);
  convert(c, 1, u);
  hold_share(c, repeat, u, digital);
}

/* From a sample's sums u of a tile to numbers, which are added to y. */
static void sense(const chain *c, int s, int repeat, mho_real *u) {
  const mho_read *r = c->r;
  size_t out = (size_t)c->out, row = (size_t)s * out;
  size_t held = row * (size_t)c->conversions + (size_t)c->tile * out;
  mho_real *y = r->y + row, keep = repeat || c->tile || c->slice ? 1 : r->keep;
  mho_real scale = r->scale / (mho_real)c->repeats / (c->drivers ? c->gain[s] : 1);
  scale *= mho__slice_weight(&c->slices, c->slice);

  amplify(c, u);
  if (c->x->scales && c->x->scales->recording)
    mho__scales_widen(c->x->scales, r->transposed ? c->x->cols : 0, c->out, u);
  else if (c->adc && r->hold.analog)
    convert_held(c, held, repeat, u);
  else if (c->adc)
    convert(c, 1, u);

  if (keep != 0) {
    for (int j = 0; j < c->out; j++)
      y[j] = keep * y[j] + scale * u[j];
  } else {
    for (int j = 0; j < c->out; j++)
      y[j] = scale * u[j];
  }
}

/* The tile's sums through its sense amplifiers and converters. */
static void sense_tile(const chain *c, int repeat) {
  const mho_read *r = c->r;
  size_t out = (size_t)c->out;
  int rows = c->out < BLOCK ? BLOCK / c->out : 1;

  for (int s0 = 0; s0 < r->n; s0 += rows) {
    int m = mho_min(r->n - s0, rows);
    memcpy(c->block, c->sum + (size_t)s0 * out, (size_t)m * out * sizeof *c->block);
    if (c->own->noisy || c->p->output_noise > 0)
      add_noise(c, s0, m, 1, repeat, c->block);
    for (int s = 0; s < m; s++)
      sense(c, s0 + s, repeat, c->block + (size_t)s * out);
  }
}

/* One slice of the inputs, on lines that are driven as read number `repeat` has it: tile by tile,
 * `sensed` times. */
static void read_slice(chain *c, int repeat, int sensed) {
  const mho_real *v = c->drivers ? c->v : c->r->x;
  if (c->drivers)
    line_voltages(c, repeat);
  for (int t = 0; t < c->conversions; t++) {
    select_tile(c, t);
    multiply(c, v, mho_crossbar_matrix(c->x), 0, c->sum);
    if (c->own->square)
      add_curvature(c);
    if (c->x->perturbation)
      mho__perturbation_add(c->x, c->r, v, c->first, c->n, 1, c->sum);
    if (c->own->noisy)
      cell_variance(c, v);
    for (int i = 0; i < sensed; i++)
      sense_tile(c, repeat + i);
  }
}

/* Drivers and sense lines around the product. */
static void read_through(chain *c) {
  int driven = c->p->input_noise > 0 ? c->repeats : 1; /* else the same voltages again */
  for (int k = 0; k < driven; k++)
    for (c->slice = 0; c->slice < c->slices.n; c->slice++)
      read_slice(c, k, c->repeats / driven);
}

/* The product, with what a trial adds. */
static void read_plainly(const mho_crossbar *x, const mho_read *r) {
  mho__array_product(x, r);
  if (x->perturbation)
    mho__perturbation_add(x, r, r->x, 0, mho__read_inputs(x, r), r->scale, r->y);
}

static void read_array(const mho_crossbar *x, const mho_read *r) {
  chain c;
  if (!mho_crossbar_lossy(x)) {
    read_plainly(x, r);
    return;
  }

  set_up(&c, x, r);
  if (c.drivers || c.sense) {
    read_through(&c);
    return;
  }

  /* only the cells are noisy: straight onto the product */
  read_plainly(x, r);
  if (c.own->noisy) {
    cell_variance(&c, r->x);
    add_noise(&c, 0, r->n, r->scale, 0, r->y);
  }
}

/* ---------------------------------------------------------------- a row alone */

/* What a crossbar keeps, as seen by one of its rows: a tile with one input. */
static void keep_row(const mho_crossbar *x, int row, mho_periphery_own *o) {
  size_t first = (size_t)row * (size_t)x->cols;
  size_t tile = (size_t)(row / o->depth[0]) * (size_t)x->cols;
  mho_real **of_cells[] = {&o->variance, &o->square, &o->cube};
  mho_real **of_inputs[] = {&o->input_gain[0], &o->input_offset[0]};
  mho_real **of_outputs[] = {&o->gain[0], &o->offset[0]};

  for (int i = 0; i < MHO_COUNT(of_cells); i++)
    *of_cells[i] = *of_cells[i] ? *of_cells[i] + first : NULL;
  for (int i = 0; i < MHO_COUNT(of_inputs); i++)
    *of_inputs[i] = *of_inputs[i] ? *of_inputs[i] + row : NULL;
  for (int i = 0; i < MHO_COUNT(of_outputs); i++)
    *of_outputs[i] = *of_outputs[i] ? *of_outputs[i] + tile : NULL;
  o->depth[0] = o->conversions[0] = 1;
}

static void read_row(const mho_crossbar *x, int row, const mho_real *weights, mho_clock clock,
                     mho_real *y, mho_real *scratch) {
  mho_periphery p = *(const mho_periphery *)x->params;
  mho_periphery_own own = *(const mho_periphery_own *)x->own;
  struct mho_weights shown = {.programmed = (mho_real *)(uintptr_t)weights};
  mho_crossbar alone = *x;
  mho_real one = 1;

  p.ranging = mho__periphery_ranges_inputs(&p) ? MHO_RANGING_BOTH : MHO_RANGING_OUTPUT;
  p.adc_full_scale = x->w_max;
  keep_row(x, row, &own);
  alone.rows = 1;
  alone.weights = &shown;
  alone.params = &p;
  alone.own = &own;
  alone.scales = NULL;
  alone.panels = NULL;
  alone.perturbation = NULL;
  read_array(&alone, &(mho_read){.n = 1,
                                 .x = &one,
                                 .y = y,
                                 .scale = 1,
                                 .clock = clock,
                                 .whole = true,
                                 .scratch = scratch});
}

const mho_array_model mho_array_periphery = {
    .entry = {.abi = MHO_ABI,
              .id = "periphery",
              .title = "products through converters, amplifiers and noise",
              .equation = "y = ADC(sat((1 + gamma)(W^T DAC(x) + noise) + o)), "
                          "var_j = sum_i x_i^2 (sigma+_ij^2 + sigma-_ij^2)/g_unit^2",
              .source = "exact column sum of independent Gaussian cells",
              .params = MHO_PARAMS(mho_periphery, table)},
    .shows_cells = true,
    .perturbs = true,
    .check = check,
    .noisy = noisy,
    .lossy = lossy,
    .conversions = conversions,
    .replaces_noise = replaces_noise,
    .holds = holds,
    .attach = mho__periphery_attach,
    .detach = mho__periphery_detach,
    .refresh = mho__periphery_refresh,
    .scratch = scratch,
    .read = read_array,
    .read_row = read_row,
    .measures = mho__periphery_measures,
    .measure = mho__periphery_measure,
    .converters = converters,
};
