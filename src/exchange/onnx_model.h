/* onnx_model.h - what an ONNX file has: operators, constants, the input.
 *
 * The messages and their field numbers are those of onnx.proto3, https://onnx.ai.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_EXCHANGE_ONNX_MODEL_H
#define MHO_EXCHANGE_ONNX_MODEL_H

#include "exchange/protobuf.h"
#include "exchange/tensors.h"

enum {
  MHO_ONNX_NAME = 128,
  MHO_ONNX_INPUTS = 8, /**< of a node */
  MHO_ONNX_NODES = 1024,
  MHO_ONNX_INTS = 8 /**< of an attribute */
};

/** Numbers of the fields that are read or written, by message. */
enum {
  MODEL_IR = 1,
  MODEL_PRODUCER = 2,
  MODEL_VERSION = 3,
  MODEL_GRAPH = 7,
  MODEL_OPSET = 8,
  GRAPH_NODE = 1,
  GRAPH_NAME = 2,
  GRAPH_CONSTANT = 5,
  GRAPH_INPUT = 11,
  GRAPH_OUTPUT = 12,
  NODE_INPUT = 1,
  NODE_OUTPUT = 2,
  NODE_NAME = 3,
  NODE_OPERATOR = 4,
  NODE_ATTRIBUTE = 5,
  ATTRIBUTE_NAME = 1,
  ATTRIBUTE_FLOAT = 2,
  ATTRIBUTE_INT = 3,
  ATTRIBUTE_TEXT = 4,
  ATTRIBUTE_TENSOR = 5,
  ATTRIBUTE_INTS = 8,
  ATTRIBUTE_TYPE = 20,
  TENSOR_DIMS = 1,
  TENSOR_TYPE = 2,
  TENSOR_FLOATS = 4,
  TENSOR_INTS = 5,
  TENSOR_LONGS = 7,
  TENSOR_NAME = 8,
  TENSOR_RAW = 9,
  TENSOR_DOUBLES = 10,
  TENSOR_EXTERNAL = 13,
  VALUE_NAME = 1,
  VALUE_TYPE = 2,
  TYPE_TENSOR = 1,
  TYPE_ELEMENT = 1,
  TYPE_SHAPE = 2,
  SHAPE_DIM = 1,
  DIM_VALUE = 1,
  DIM_NAME = 2,
  OPSET_VERSION = 2
};
/** Types of attributes, and of a tensor's numbers. */
enum { ONNX_ATTRIBUTE_INT = 2, ONNX_ATTRIBUTE_INTS = 7 };
enum {
  ONNX_FLOAT = 1,
  ONNX_INT32 = 6,
  ONNX_INT64 = 7,
  ONNX_FLOAT16 = 10,
  ONNX_DOUBLE = 11,
  ONNX_BFLOAT16 = 16
};

/** An operator. */
typedef struct mho_onnx_node {
  char name[MHO_ONNX_NAME], op[32];
  int n_inputs;
  char input[MHO_ONNX_INPUTS][MHO_ONNX_NAME]; /**< "": left out */
  char output[MHO_ONNX_NAME];                 /**< the first */
  int n_outputs;
  mho_pb message; /**< the node itself, for its attributes */
} mho_onnx_node;

/** A model, whose strings lie in the bytes of the file. */
typedef struct mho_onnx_model {
  int n;
  mho_onnx_node *node;   /**< [n] in the order of the file, which is that of the computation */
  mho_tensors constants; /**< initializers */
  char input[MHO_ONNX_NAME], output[MHO_ONNX_NAME];
  int n_dims;
  int64_t dim[MHO_TENSOR_DIMS]; /**< of the input; 0: any */
} mho_onnx_model;

/** Read a model. @return MHO_OK; MHO_EDATA; MHO_ENOMEM. */
mho_err mho__onnx_read(const void *bytes, size_t length, const char *file, mho_onnx_model *out,
                       mho_errinfo *ei);
void mho__onnx_free(mho_onnx_model *m);

/** A node's attribute of whole numbers; how many it has, -1 without it. At most MHO_ONNX_INTS. */
int mho__onnx_ints(const mho_onnx_node *node, const char *name, int64_t out[MHO_ONNX_INTS]);
/** An attribute that is one whole number, or what stands for it where it is left out. */
int64_t mho__onnx_int(const mho_onnx_node *node, const char *name, int64_t otherwise);
double mho__onnx_float(const mho_onnx_node *node, const char *name, double otherwise);
/** Whether an attribute that is a text has another one than `plain`, or is left out. */
bool mho__onnx_text_is(const mho_onnx_node *node, const char *name, const char *plain);
/** Add the tensor of an attribute to the constants, under the name of the node's output.
 *  @return MHO_OK; MHO_EDATA, also where there is no such attribute; MHO_ENOMEM. */
mho_err mho__onnx_constant(mho_onnx_model *m, const mho_onnx_node *node, const char *file,
                           mho_errinfo *ei);

#endif
