/* Python's side of _columns.h: a type that collects the chunks of one result and gives them out as Arrow's buffers.

The limited API (CPython 3.11's: one build for every later version, and the first in which a type may export a buffer)
and nothing else: libpq's functions come as addresses from native.py, which finds them in psycopg's own libpq. A second
libpq linked here would be another version's idea of what a PGresult is.

The GIL is released while values are read; a flag refuses a second thread meanwhile. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "_columns.h"
#include "_objects.h"

/* -- memory that Arrow and NumPy keep alive ------------------------------------------------------------------------ */

typedef struct {
    PyObject_HEAD
    block block;
} Buffer;

static int Buffer_getbuffer(PyObject *self, Py_buffer *view, int flags) {
    static byte nothing[8];
    block *b = &((Buffer *)self)->block;
    return PyBuffer_FillInfo(view, self, b->size ? b->bytes : nothing, (Py_ssize_t)b->size, 0, flags);
}

static void Buffer_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    release(&((Buffer *)self)->block);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyType_Slot Buffer_slots[] = {
    {Py_tp_dealloc, Buffer_dealloc},
    {Py_bf_getbuffer, Buffer_getbuffer},
    {Py_tp_doc, "Memory of a column, writable, which whoever exports it keeps alive."},
    {0, NULL},
};

static PyType_Spec Buffer_spec = {
    .name = "tusk_jupyter.results._decode.Buffer",
    .basicsize = sizeof(Buffer),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = Buffer_slots,
};

/* takes the block over, also when it fails */
static PyObject *new_buffer(PyTypeObject *type, block *taken) {
    Buffer *self = (Buffer *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (self == NULL) {
        release(taken);
        return NULL;
    }
    self->block = *taken;
    memset(taken, 0, sizeof *taken);
    return (PyObject *)self;
}

/* (rows, nulls, validity or None, values[, data]), or None when there are no rows; the column is empty afterwards */
static PyObject *take(PyTypeObject *type, column *c) {
    if (c->rows == 0) {
        clear(c);
        Py_RETURN_NONE;
    }
    finish(c);
    long long rows = c->rows, nulls = c->nulls;
    bool is_data = has_data(c->kind);
    PyObject *validity = nulls ? new_buffer(type, &c->validity) : Py_NewRef(Py_None);
    PyObject *values = new_buffer(type, &c->values);
    PyObject *data = is_data ? new_buffer(type, &c->data) : NULL;
    clear(c);
    PyObject *taken = NULL;
    if (validity && values && (data || !is_data))
        taken = is_data ? Py_BuildValue("(LLOOO)", rows, nulls, validity, values, data)
                        : Py_BuildValue("(LLOO)", rows, nulls, validity, values);
    Py_XDECREF(validity);
    Py_XDECREF(values);
    Py_XDECREF(data);
    return taken;
}

/* -- the columns of one result ---------------------------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    accessors libpq;
    field *fields;
    int count;
    bool is_busy;
} Columns;

typedef struct {
    PyTypeObject *buffer;
} state;

static PyTypeObject *buffer_type(PyObject *self) {
    state *found = PyType_GetModuleState(Py_TYPE(self));
    if (found && found->buffer == NULL) PyErr_SetString(PyExc_RuntimeError, "the interpreter is ending");
    return found ? found->buffer : NULL;
}

static bool read_address(PyObject *addresses, Py_ssize_t index, void *function) {
    PyObject *number = PyTuple_GetItem(addresses, index);
    void *address = number ? PyLong_AsVoidPtr(number) : NULL;
    if (address == NULL && !PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "0 is no function's address");
    if (PyErr_Occurred()) return false;
    memcpy(function, &address, sizeof address); /* ISO C has no cast from data to functions, POSIX and Windows do */
    return true;
}

static PyObject *Columns_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords) {
    const byte *kinds, *scales = NULL;
    Py_ssize_t count, scales_count = 0;
    PyObject *addresses;
    if (keywords && PyDict_Size(keywords)) {
        PyErr_SetString(PyExc_TypeError, "Columns takes no keywords");
        return NULL;
    }
    if (!PyArg_ParseTuple(arguments, "y#O!|y#", &kinds, &count, &PyTuple_Type, &addresses, &scales, &scales_count))
        return NULL;
    for (Py_ssize_t i = 0; i < count; i++)
        if (kinds[i] >= KINDS || (kinds[i] == SCALED && (i >= scales_count || scales[i] >= MOST_DIGITS))) {
            PyErr_SetString(PyExc_ValueError, "no such kind of column");
            return NULL;
        }
    if (count > INT32_MAX) return PyErr_NoMemory();
    Columns *self = (Columns *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (self == NULL) return NULL;
    accessors *libpq = &self->libpq;
    self->fields = calloc(count ? (size_t)count : 1, sizeof *self->fields);
    if (self->fields == NULL) {
        PyErr_NoMemory();
    } else if (read_address(addresses, 0, &libpq->ntuples) && read_address(addresses, 1, &libpq->nfields) &&
               read_address(addresses, 2, &libpq->getvalue) && read_address(addresses, 3, &libpq->getlength) &&
               read_address(addresses, 4, &libpq->getisnull)) {
        self->count = (int)count;
        for (int i = 0; i < self->count; i++) {
            column *kept = &self->fields[i].kept;
            kept->kind = (enum kind)kinds[i];
            kept->scale = i < scales_count ? scales[i] : 0;
        }
        return (PyObject *)self;
    }
    Py_DECREF(self);
    return NULL;
}

static void Columns_dealloc(PyObject *object) {
    Columns *self = (Columns *)object;
    PyTypeObject *type = Py_TYPE(object);
    for (int i = 0; i < self->count; i++) {
        clear(&self->fields[i].kept);
        clear(&self->fields[i].aside);
    }
    free(self->fields);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static bool is_free(const Columns *self) {
    if (self->is_busy) PyErr_SetString(PyExc_RuntimeError, "another thread is appending to these columns");
    return !self->is_busy;
}

/* what came of the columns that refused the chunk */
static PyObject *refused(Columns *self) {
    PyTypeObject *type = buffer_type((PyObject *)self);
    PyObject *list = type ? PyList_New(0) : NULL;
    for (int i = 0; list && i < self->count; i++) {
        field *f = &self->fields[i];
        if (!f->is_refused) continue;
        PyObject *before = take(type, &f->kept);
        PyObject *aside = before ? take(type, &f->aside) : NULL;
        PyObject *item = aside ? Py_BuildValue("(iOO)", i, before, aside) : NULL;
        if (item == NULL || PyList_Append(list, item) < 0) Py_CLEAR(list);
        Py_XDECREF(before);
        Py_XDECREF(aside);
        Py_XDECREF(item);
    }
    return list;
}

static PyObject *Columns_append(PyObject *object, PyObject *arguments) {
    Columns *self = (Columns *)object;
    PyObject *address;
    int rows;
    if (!PyArg_ParseTuple(arguments, "Oi", &address, &rows) || !is_free(self)) return NULL;
    source in = {&self->libpq, PyLong_AsVoidPtr(address)};
    if (in.result == NULL) {
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "no result");
        return NULL;
    }
    enum outcome outcome;
    self->is_busy = true;
    Py_BEGIN_ALLOW_THREADS;
    outcome = append(&in, self->fields, self->count, rows);
    Py_END_ALLOW_THREADS;
    self->is_busy = false;
    if (outcome == NO_MEMORY) return PyErr_NoMemory();
    if (outcome != STORED) {
        PyErr_SetString(PyExc_ValueError, "the result contradicts itself, or is not of these columns");
        return NULL;
    }
    return refused(self);
}

static PyObject *Columns_take(PyObject *object, PyObject *Py_UNUSED(nothing)) {
    Columns *self = (Columns *)object;
    PyTypeObject *type = buffer_type(object);
    if (type == NULL || !is_free(self)) return NULL;
    PyObject *list = PyList_New(0);
    for (int i = 0; list && i < self->count; i++) {
        PyObject *taken = take(type, &self->fields[i].kept);
        if (taken == NULL || PyList_Append(list, taken) < 0) Py_CLEAR(list);
        Py_XDECREF(taken);
    }
    return list;
}

static PyObject *Columns_nbytes(PyObject *object, void *Py_UNUSED(closure)) {
    Columns *self = (Columns *)object;
    if (!is_free(self)) return NULL;
    size_t total = 0;
    for (int i = 0; i < self->count; i++)
        if (self->fields[i].kept.rows) total += size_of(&self->fields[i].kept);
    return PyLong_FromSize_t(total);
}

static PyMethodDef Columns_methods[] = {
    {"append", Columns_append, METH_VARARGS,
     "append(result, rows): add the first rows of the PGresult at this address.\n\n"
     "Returns (column, what it held before, the chunk as it came) for each column with a value that its kind does\n"
     "not read; that column holds nothing afterwards."},
    {"take", Columns_take, METH_NOARGS, "take(): what each column holds, which holds nothing afterwards."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef Columns_properties[] = {
    {"nbytes", Columns_nbytes, NULL, "The size of what the columns hold.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot Columns_slots[] = {
    {Py_tp_new, Columns_new},
    {Py_tp_dealloc, Columns_dealloc},
    {Py_tp_methods, Columns_methods},
    {Py_tp_getset, Columns_properties},
    {Py_tp_doc, "Columns(kinds, accessors[, scales]): a kind per column; addresses of PQntuples, PQnfields,\n"
                "PQgetvalue, PQgetlength, PQgetisnull; the digits after the point of each column."},
    {0, NULL},
};

static PyType_Spec Columns_spec = {
    .name = "tusk_jupyter.results._decode.Columns",
    .basicsize = sizeof(Columns),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = Columns_slots,
};

/* -- texts as objects ------------------------------------------------------------------------------------------- */

/* whether the offsets of these rows are there, ascend, and stay within the data */
static bool is_column(const Py_buffer *offsets, const Py_buffer *data, Py_ssize_t first, Py_ssize_t count) {
    if (first < 0 || count < 0 || count > PY_SSIZE_T_MAX / 16 || first > PY_SSIZE_T_MAX / 16) return false;
    if ((first + count + 1) * 8 > offsets->len) return false;
    int64_t last = 0, end;
    for (Py_ssize_t i = first; i <= first + count; i++, last = end) {
        memcpy(&end, (const byte *)offsets->buf + i * 8, 8);
        /* the first is where the texts begin, which may be anywhere */
        if (end < last || end > data->len || (i > first && end - last > INT32_MAX)) return false;
    }
    return true;
}

static PyObject *objects_of(enum content content, const byte *ends, const byte *data, Py_ssize_t count) {
    seen_key keys[KEYS] = {{NULL, 0, NULL}};
    PyObject *values = PyList_New(count), *refused = PyList_New(0);
    for (Py_ssize_t i = 0; values && refused && i < count; i++) {
        int64_t from, end;
        memcpy(&from, ends + i * 8, 8);
        memcpy(&end, ends + (i + 1) * 8, 8);
        texts t = {.at = data + from, .end = data + end, .content = content, .keys = keys};
        PyObject *value = read_text(&t);
        if (value == NULL && !PyErr_Occurred()) {
            PyObject *index = PyLong_FromSsize_t(i);
            if (index == NULL || PyList_Append(refused, index) < 0) Py_CLEAR(refused);
            Py_XDECREF(index);
            value = Py_NewRef(Py_None);
        }
        if (value == NULL) Py_CLEAR(values);
        else PyList_SetItem(values, i, value);
    }
    for (int i = 0; i < KEYS; i++) Py_XDECREF(keys[i].key);
    PyObject *both = values && refused ? PyTuple_Pack(2, values, refused) : NULL;
    Py_XDECREF(values);
    Py_XDECREF(refused);
    return both;
}

static PyObject *read_objects(PyObject *Py_UNUSED(module), PyObject *arguments) {
    int content;
    Py_buffer offsets, data;
    Py_ssize_t first, count;
    if (!PyArg_ParseTuple(arguments, "iy*y*nn", &content, &offsets, &data, &first, &count)) return NULL;
    PyObject *both = NULL;
    if (content < 0 || content >= CONTENTS || !is_column(&offsets, &data, first, count))
        PyErr_SetString(PyExc_ValueError, "no such texts");
    else
        both = objects_of((enum content)content, (const byte *)offsets.buf + first * 8, data.buf, count);
    PyBuffer_Release(&offsets);
    PyBuffer_Release(&data);
    return both;
}

static PyMethodDef module_methods[] = {
    {"read_objects", read_objects, METH_VARARGS,
     "read_objects(content, offsets, data, first, count): read texts as documents or arrays.\n\n"
     "Returns their values, and which of them were refused: their values are None."},
    {NULL, NULL, 0, NULL},
};

/* -- the module ------------------------------------------------------------------------------------------------- */

static int module_exec(PyObject *module) {
    state *own = PyModule_GetState(module);
    own->buffer = (PyTypeObject *)PyType_FromModuleAndSpec(module, &Buffer_spec, NULL);
    if (own->buffer == NULL) return -1;
    PyObject *columns = PyType_FromModuleAndSpec(module, &Columns_spec, NULL);
    if (columns == NULL) return -1;
    int added = PyModule_AddObjectRef(module, "Columns", columns);
    Py_DECREF(columns);
    return added;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg) {
    state *own = PyModule_GetState(module);
    if (own) Py_VISIT(own->buffer);
    return 0;
}

static int module_clear(PyObject *module) {
    state *own = PyModule_GetState(module);
    if (own) Py_CLEAR(own->buffer);
    return 0;
}

static void module_free(void *module) { module_clear(module); }

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_decode",
    .m_doc = "Columns out of the text of a PGresult.",
    .m_size = sizeof(state),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__decode(void) { return PyModuleDef_Init(&module_def); }
