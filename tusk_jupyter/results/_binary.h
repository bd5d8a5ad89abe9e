/* PostgreSQL's binary format into the same columns; a part of _columns.h, in the middle of which it is included.

binary.py is what decides, and says why: a value of another length than its type's, or one that the arrays cannot hold
(infinity, BC, years beyond 9999), makes its column refuse the chunk. */

/* from 1970 to 2000, where PostgreSQL counts from */
#define EPOCH_DAYS 10957
#define EPOCH (EPOCH_DAYS * INT64_C(86400000000))
/* the years 1 to 9999 */
#define DAY_MIN (-719162)
#define DAY_MAX 2932896
#define MOMENT_MIN (DAY_MIN * INT64_C(86400000000))
#define MOMENT_MAX ((DAY_MAX + 1) * INT64_C(86400000000) - 1)

static ALWAYS_INLINE uint64_t big_endian(const byte *at, int width) {
    uint64_t number = 0;
    for (int i = 0; i < width; i++) number = number << 8 | at[i];
    return number;
}

/* two's complement of that width */
static ALWAYS_INLINE bool signed_number(const byte *at, int length, int width, int64_t *number) {
    if (length != width) return false;
    uint64_t sign = UINT64_C(1) << (8 * width - 1), read = (big_endian(at, width) ^ sign) - sign;
    memcpy(number, &read, 8);
    return true;
}

static ALWAYS_INLINE bool put_signed(const byte *at, int length, int width, byte *value) {
    int64_t number;
    if (!signed_number(at, length, width, &number)) return false;
    memcpy(value, &number, 8);
    return true;
}

static ALWAYS_INLINE bool take_int16(const byte *at, int length, byte *value) { return put_signed(at, length, 2, value); }
static ALWAYS_INLINE bool take_int32(const byte *at, int length, byte *value) { return put_signed(at, length, 4, value); }
static ALWAYS_INLINE bool take_int64(const byte *at, int length, byte *value) { return put_signed(at, length, 8, value); }

static ALWAYS_INLINE bool take_oid(const byte *at, int length, byte *value) {
    if (length != 4) return false;
    uint64_t number = big_endian(at, 4);
    memcpy(value, &number, 8);
    return true;
}

/* a NaN loses sign and payload, as it does in text */
static ALWAYS_INLINE bool take_float32(const byte *at, int length, byte *value) {
    if (length != 4) return false;
    uint32_t bits = (uint32_t)big_endian(at, 4);
    if ((bits & 0x7fffffffu) > 0x7f800000u) bits = 0x7fc00000u;
    memcpy(value, &bits, 4);
    return true;
}

static ALWAYS_INLINE bool take_float64(const byte *at, int length, byte *value) {
    if (length != 8) return false;
    uint64_t bits = big_endian(at, 8);
    if ((bits & INT64_MAX) > UINT64_C(0x7ff) << 52) bits = UINT64_C(0x7ff8) << 48;
    memcpy(value, &bits, 8);
    return true;
}

static ALWAYS_INLINE bool take_bool(const byte *at, int length, bool *value) {
    if (length != 1 || at[0] > 1) return false;
    *value = at[0];
    return true;
}

static ALWAYS_INLINE bool take_date32(const byte *at, int length, byte *value) {
    int64_t days;
    if (!signed_number(at, length, 4, &days)) return false;
    days += EPOCH_DAYS;
    if (days < DAY_MIN || days > DAY_MAX) return false;
    int32_t stored = (int32_t)days;
    memcpy(value, &stored, 4);
    return true;
}

static ALWAYS_INLINE bool take_moment(const byte *at, int length, int64_t least, int64_t most, byte *value) {
    int64_t moment;
    if (!signed_number(at, length, 8, &moment) || moment < least - EPOCH || moment > most - EPOCH) return false;
    moment += EPOCH;
    memcpy(value, &moment, 8);
    return true;
}

static ALWAYS_INLINE bool take_timestamp(const byte *at, int length, byte *value) {
    return take_moment(at, length, MOMENT_MIN, MOMENT_MAX, value);
}

static ALWAYS_INLINE bool take_timestamptz(const byte *at, int length, byte *value) {
    return take_moment(at, length, ZONED_MIN, ZONED_MAX, value);
}

static enum outcome take_bools(const source *in, column *c, int field, int first, int last, int more) {
    FOR_EACH_CELL(put_bit(c->values.bytes, c->rows, false))
    bool value;
    if (!take_bool(text, length, &value)) return REFUSED;
    put_bit(c->values.bytes, c->rows, value);
    END_CELL
}

#define UUID_TEXT 36

/* as text, which is what a uuid is in a frame */
static enum outcome take_uuids(const source *in, column *c, int field, int first, int last, int more) {
    static const char HEX[] = "0123456789abcdef";
    FOR_EACH_CELL(put_end(c))
    if (c->data.size > SIZE_MAX / 2 - UUID_TEXT || !reserve(&c->data, c->data.size + UUID_TEXT)) return NO_MEMORY;
    if (length != 16) return REFUSED;
    byte *to = c->data.bytes + c->data.size;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *to++ = '-';
        *to++ = (byte)HEX[text[i] >> 4];
        *to++ = (byte)HEX[text[i] & 15];
    }
    c->data.size += UUID_TEXT;
    put_end(c);
    END_CELL
}

static enum outcome store_binary(const source *in, column *c, int field, int first, int last, int more) {
    switch (c->kind) {
    case BINARY_INT16: return store_fixed(in, c, field, first, last, more, 8, take_int16);
    case BINARY_INT32: return store_fixed(in, c, field, first, last, more, 8, take_int32);
    case BINARY_INT64: return store_fixed(in, c, field, first, last, more, 8, take_int64);
    case BINARY_OID: return store_fixed(in, c, field, first, last, more, 8, take_oid);
    case BINARY_FLOAT32: return store_fixed(in, c, field, first, last, more, 4, take_float32);
    case BINARY_FLOAT64: return store_fixed(in, c, field, first, last, more, 8, take_float64);
    case BINARY_DATE32: return store_fixed(in, c, field, first, last, more, 4, take_date32);
    case BINARY_TIMESTAMP: return store_fixed(in, c, field, first, last, more, 8, take_timestamp);
    case BINARY_TIMESTAMPTZ: return store_fixed(in, c, field, first, last, more, 8, take_timestamptz);
    case BINARY_BOOL: return take_bools(in, c, field, first, last, more);
    default: return take_uuids(in, c, field, first, last, more);
    }
}
