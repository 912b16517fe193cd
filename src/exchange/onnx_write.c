/* onnx_write.c - a chain of layers as an ONNX model.
 *
 * Gemm and Conv, the neurons, MaxPool, Flatten and Softmax of https://onnx.ai/onnx/operators,
 * version 13 of the operators. The number of samples is left open.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "exchange/network_bytes.h"
#include "exchange/onnx_model.h"

enum { IR_VERSION = 7, OPERATORS = 13 };

/* The graph that is being written. */
typedef struct graph {
  mho_pb_writer w;
  int n;          /* operators so far: the last one's output is "v<n>" */
  const char *of; /* name of the layer that is written */
  bool image;     /* what was computed last */
} graph;

/* ---------------------------------------------------------------- operators */

/* An operator from the last value to the next one; close it with end_node. */
static mho_pb_writer begin_node(graph *g, const char *op) {
  char input[32], name[MHO_CHAIN_NAME + 32];
  mho_pb_writer node = {0};
  snprintf(input, sizeof input, "v%d", g->n);
  snprintf(name, sizeof name, "%s.%s", g->of, op);
  mho__pb_put_text(&node, NODE_INPUT, g->n ? input : "input");
  mho__pb_put_text(&node, NODE_NAME, name);
  mho__pb_put_text(&node, NODE_OPERATOR, op);
  return node;
}

static void end_node(graph *g, mho_pb_writer *node) {
  char output[32];
  snprintf(output, sizeof output, "v%d", ++g->n);
  mho__pb_put_text(node, NODE_OUTPUT, output);
  mho__pb_put_message(&g->w, GRAPH_NODE, node);
}

static void put_int(mho_pb_writer *node, const char *name, int v) {
  mho_pb_writer a = {0};
  mho__pb_put_text(&a, ATTRIBUTE_NAME, name);
  mho__pb_put_int(&a, ATTRIBUTE_INT, v);
  mho__pb_put_int(&a, ATTRIBUTE_TYPE, ONNX_ATTRIBUTE_INT);
  mho__pb_put_message(node, NODE_ATTRIBUTE, &a);
}

/* An attribute that is a number n times. */
static void put_ints(mho_pb_writer *node, const char *name, int n, int v) {
  mho_pb_writer a = {0};
  mho__pb_put_text(&a, ATTRIBUTE_NAME, name);
  for (int k = 0; k < n; k++)
    mho__pb_put_int(&a, ATTRIBUTE_INTS, v);
  mho__pb_put_int(&a, ATTRIBUTE_TYPE, ONNX_ATTRIBUTE_INTS);
  mho__pb_put_message(node, NODE_ATTRIBUTE, &a);
}

/* The name of a layer's weights or biases as one more input of an operator. */
static void put_constant_name(mho_pb_writer *node, const mho_chain_layer *l, bool biases) {
  char name[MHO_CHAIN_NAME + 16];
  snprintf(name, sizeof name, "%s.%s", l->name, biases ? "bias" : "weight");
  mho__pb_put_text(node, NODE_INPUT, name);
}

static void put_weighted(graph *g, const mho_chain_layer *l) {
  if (!l->kernel && g->image) {
    mho_pb_writer flatten = begin_node(g, "Flatten");
    put_int(&flatten, "axis", 1);
    end_node(g, &flatten);
    g->image = false;
  }

  mho_pb_writer node = begin_node(g, l->kernel ? "Conv" : "Gemm");
  put_constant_name(&node, l, false);
  if (l->b)
    put_constant_name(&node, l, true);
  if (l->kernel) {
    put_ints(&node, "kernel_shape", 2, l->kernel);
    put_ints(&node, "strides", 2, l->stride);
    put_ints(&node, "pads", 4, l->padding);
  } else {
    put_int(&node, "transB", 1);
  }
  end_node(g, &node);
}

/* The operators of a neuron. */
static mho_err put_neuron(graph *g, const mho_chain_layer *l, mho_errinfo *ei) {
  static const char *const ops[][2] = {
      {"relu", "Relu"}, {"tanh", "Tanh"}, {"sigmoid", "Sigmoid"}, {"linear", "Identity"}};
  for (int k = 0; k < MHO_COUNT(ops); k++) {
    if (strcmp(ops[k][0], l->neuron))
      continue;
    mho_pb_writer node = begin_node(g, ops[k][1]);
    end_node(g, &node);
    return MHO_OK;
  }
  return mho_fail(
      ei, MHO_EINVAL,
      "network.neuron: ONNX files are written of relu, tanh, sigmoid and linear, not of "
      "%s: .npz and .safetensors hold the weights of any",
      l->neuron);
}

static mho_err put_layer(graph *g, const mho_chain_layer *l, mho_errinfo *ei) {
  g->of = l->name;
  put_weighted(g, l);
  mho_err err = l->neuron ? put_neuron(g, l, ei) : MHO_OK;
  if (err || !l->pool)
    return err;

  mho_pb_writer node = begin_node(g, "MaxPool");
  put_ints(&node, "kernel_shape", 2, l->pool);
  put_ints(&node, "strides", 2, l->pool);
  end_node(g, &node);
  return MHO_OK;
}

/* ---------------------------------------------------------------- constants, input, output */

static mho_err put_constant(graph *g, const mho_chain_layer *l, bool biases, mho_errinfo *ei) {
  char name[MHO_CHAIN_NAME + 16];
  mho_pb_writer t = {0};
  int dim[4], n_dims;
  size_t n;
  float *v = mho__layer_numbers(l, biases, dim, &n_dims, &n);
  if (!v)
    return mho_fail(ei, MHO_ENOMEM, "no memory to write '%s'", l->name);

  snprintf(name, sizeof name, "%s.%s", l->name, biases ? "bias" : "weight");
  for (int k = 0; k < n_dims; k++)
    mho__pb_put_int(&t, TENSOR_DIMS, dim[k]);
  mho__pb_put_int(&t, TENSOR_TYPE, ONNX_FLOAT);
  mho__pb_put_text(&t, TENSOR_NAME, name);
  mho__pb_put_bytes(&t, TENSOR_RAW, v, n * sizeof *v);
  mho__pb_put_message(&g->w, GRAPH_CONSTANT, &t);
  mho_free(v);
  return MHO_OK;
}

static void put_dim(mho_pb_writer *shape, int size) {
  mho_pb_writer dim = {0};
  if (size)
    mho__pb_put_int(&dim, DIM_VALUE, size);
  else
    mho__pb_put_text(&dim, DIM_NAME, "samples");
  mho__pb_put_message(shape, SHAPE_DIM, &dim);
}

/* An input or output of samples with n further dimensions. */
static void put_value(graph *g, int number, const char *name, int n, const int *dim) {
  mho_pb_writer value = {0}, type = {0}, tensor = {0}, shape = {0};
  put_dim(&shape, 0);
  for (int k = 0; k < n; k++)
    put_dim(&shape, dim[k]);

  mho__pb_put_int(&tensor, TYPE_ELEMENT, ONNX_FLOAT);
  mho__pb_put_message(&tensor, TYPE_SHAPE, &shape);
  mho__pb_put_message(&type, TYPE_TENSOR, &tensor);
  mho__pb_put_text(&value, VALUE_NAME, name);
  mho__pb_put_message(&value, VALUE_TYPE, &type);
  mho__pb_put_message(&g->w, number, &value);
}

static void put_ends(graph *g, const mho_chain *c) {
  char output[32];
  int image[] = {c->channels, c->height, c->width};
  const mho_chain_layer *first = &c->layer[0], *end = &c->layer[c->n - 1];
  snprintf(output, sizeof output, "v%d", g->n);
  if (first->kernel)
    put_value(g, GRAPH_INPUT, "input", 3, image);
  else
    put_value(g, GRAPH_INPUT, "input", 1, &first->in);
  put_value(g, GRAPH_OUTPUT, output, 1, &end->out);
}

/* ---------------------------------------------------------------- the model */

static mho_err put_graph(graph *g, const mho_chain *c, mho_errinfo *ei) {
  mho_err err = MHO_OK;
  g->image = c->layer[0].kernel != 0;
  for (int l = 0; l < c->n; l++) {
    if (!err)
      err = put_layer(g, &c->layer[l], ei);
    if (!err)
      err = put_constant(g, &c->layer[l], false, ei);
    if (!err && c->layer[l].b)
      err = put_constant(g, &c->layer[l], true, ei);
  }

  if (c->softmax) {
    mho_pb_writer node = begin_node(g, "Softmax");
    put_int(&node, "axis", 1);
    end_node(g, &node);
  }
  mho__pb_put_text(&g->w, GRAPH_NAME, "network");
  put_ends(g, c);
  return err;
}

mho_err mho__onnx_write(const mho_chain *c, FILE *f, mho_errinfo *ei) {
  graph g = {.of = ""};
  mho_pb_writer model = {0}, operators = {0};
  mho_err err = put_graph(&g, c, ei);

  mho__pb_put_int(&operators, OPSET_VERSION, OPERATORS);
  mho__pb_put_int(&model, MODEL_IR, IR_VERSION);
  mho__pb_put_text(&model, MODEL_PRODUCER, "mho");
  mho__pb_put_text(&model, MODEL_VERSION, MHO_VERSION);
  mho__pb_put_message(&model, MODEL_GRAPH, &g.w);
  mho__pb_put_message(&model, MODEL_OPSET, &operators);

  if (!err && model.failed)
    err = mho_fail(ei, MHO_ENOMEM, "no memory to write an ONNX model");
  if (!err && model.n > INT32_MAX)
    err = mho_fail(ei, MHO_EINVAL, "the weights are more than an ONNX file takes: use safetensors");
  if (!err)
    fwrite(model.bytes, 1, model.n, f);
  free(model.bytes);
  return err;
}
