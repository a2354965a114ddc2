//! An assembler for the instructions of x86-64 with AVX-512 that kernels consist of.
//!
//! Encodings are those of Intel's Software Developer's Manual, volume 2: section 2.2 for general
//! registers, 2.7 for vectors (EVEX).

/// A general register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gpr {
    Rax = 0,
    Rcx = 1,
    Rdx = 2,
    Rbx = 3,
    Rsp = 4,
    Rbp = 5,
    Rsi = 6,
    Rdi = 7,
    R8 = 8,
    R9 = 9,
    R10 = 10,
    R11 = 11,
    R12 = 12,
    R13 = 13,
    R14 = 14,
    R15 = 15,
}

/// A vector register, of 0 to 31, and a mask register, of 1 to 7.
pub(super) type Vector = u8;
pub(super) type Mask = u8;

/// An address: `base + index + offset`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Address {
    pub base: Gpr,
    pub index: Option<Gpr>,
    pub offset: i32,
}

impl Address {
    pub fn at(base: Gpr, offset: i32) -> Address {
        Address { base, index: None, offset }
    }
}

/// The last operand of a vector instruction.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    Vector(Vector),
    Memory(Address),
    /// One number in memory, for all lanes.
    Broadcast(Address),
}

/// How long vectors are: four or sixteen numbers, or eight on the way from sixteen to four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    Four = 0,
    Eight = 1,
    Sixteen = 2,
}

/// Which lanes an instruction writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lanes {
    All,
    /// Those of a mask; the others stay.
    Merged(Mask),
    /// Those of a mask; the others become 0.
    Zeroed(Mask),
}

/// An instruction on vectors: its prefix, its map of opcodes, and the opcode.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opcode {
    prefix: u8,
    map: u8,
    code: u8,
    wide: bool,
}

impl Opcode {
    const fn new(prefix: u8, map: u8, code: u8) -> Opcode {
        Opcode { prefix, map, code, wide: false }
    }

    const fn wide(self) -> Opcode {
        Opcode { wide: true, ..self }
    }
}

/// The prefixes by their numbers, and the maps.
const NONE: u8 = 0;
const X66: u8 = 1;
const XF3: u8 = 2;
const X0F: u8 = 1;
const X0F38: u8 = 2;
const X0F3A: u8 = 3;

pub(super) const ADD: Opcode = Opcode::new(NONE, X0F, 0x58);
pub(super) const MUL: Opcode = Opcode::new(NONE, X0F, 0x59);
pub(super) const SUB: Opcode = Opcode::new(NONE, X0F, 0x5C);
pub(super) const MIN: Opcode = Opcode::new(NONE, X0F, 0x5D);
pub(super) const DIV: Opcode = Opcode::new(NONE, X0F, 0x5E);
pub(super) const MAX: Opcode = Opcode::new(NONE, X0F, 0x5F);
pub(super) const SQRT: Opcode = Opcode::new(NONE, X0F, 0x51);
pub(super) const AND: Opcode = Opcode::new(NONE, X0F, 0x54);
pub(super) const OR: Opcode = Opcode::new(NONE, X0F, 0x56);
pub(super) const XOR: Opcode = Opcode::new(NONE, X0F, 0x57);
pub(super) const ADD_INT: Opcode = Opcode::new(X66, X0F, 0xFE);
pub(super) const SUB_INT: Opcode = Opcode::new(X66, X0F, 0xFA);
/// Shifts by a constant: the opcode, and its number in the place of a register.
pub(super) const SHIFT: Opcode = Opcode::new(X66, X0F, 0x72);
pub(super) const SHIFT_SIGN: u8 = 4;
pub(super) const SHIFT_LEFT: u8 = 6;
/// `first · 2^source`, for a whole number, rounded once.
pub(super) const SCALE: Opcode = Opcode::new(X66, X0F38, 0x2C);
pub(super) const ROUND: Opcode = Opcode::new(X66, X0F3A, 0x08);
pub(super) const COMPARE: Opcode = Opcode::new(NONE, X0F, 0xC2);
/// `mask ? source : first`.
pub(super) const BLEND: Opcode = Opcode::new(X66, X0F38, 0x65);
/// `out = first · out + source`, and `out = first · source + out`.
pub(super) const MUL_ADD_213: Opcode = Opcode::new(X66, X0F38, 0xA8);
pub(super) const MUL_ADD_231: Opcode = Opcode::new(X66, X0F38, 0xB8);
pub(super) const MOVE: Opcode = Opcode::new(NONE, X0F, 0x10);
const STORE: Opcode = Opcode::new(NONE, X0F, 0x11);
const LOAD_ONE: Opcode = Opcode::new(XF3, X0F, 0x10);
const STORE_ONE: Opcode = Opcode::new(XF3, X0F, 0x11);
const BROADCAST: Opcode = Opcode::new(X66, X0F38, 0x18);
/// The upper half of sixteen numbers, and of eight.
const UPPER_EIGHT: Opcode = Opcode::new(X66, X0F3A, 0x1B).wide();
const UPPER_FOUR: Opcode = Opcode::new(X66, X0F3A, 0x19);
/// The upper two of four numbers; the odd ones in the place of the even ones.
const UPPER_TWO: Opcode = Opcode::new(NONE, X0F, 0x12);
const ODD: Opcode = Opcode::new(XF3, X0F, 0x16);

/// When a jump is taken, of numbers without a sign.
#[derive(Clone, Copy, Debug)]
pub(super) enum Condition {
    Below = 2,
    NotBelow = 3,
}

/// A place in the code that jumps go to.
#[derive(Debug, Default)]
pub(super) struct Label {
    at: Option<usize>,
    /// The places of jumps that do not know yet how far they go.
    jumps: Vec<usize>,
}

#[derive(Debug, Default)]
pub(super) struct Assembler {
    pub code: Vec<u8>,
}

impl Assembler {
    /// A vector instruction, with an operand that some have in front of the last one.
    pub fn vector(
        &mut self,
        op: Opcode,
        length: Length,
        out: Vector,
        first: Option<Vector>,
        source: Source,
        lanes: Lanes,
    ) {
        let bytes = match source {
            Source::Broadcast(_) => 4,
            _ => 16 << length as i32,
        };
        self.evex(op, length, out, first.unwrap_or(0), source, lanes, bytes);
    }

    /// The prefix of vector instructions, the opcode and the operands. Offsets of an address are counted
    /// in units of what is read there.
    #[allow(clippy::too_many_arguments, reason = "these are the fields of the encoding")]
    fn evex(
        &mut self,
        op: Opcode,
        length: Length,
        register: u8,
        first: u8,
        source: Source,
        lanes: Lanes,
        unit: i32,
    ) {
        let (base, index) = match source {
            // The fifth bit of the number of a vector stands where that of an index would.
            Source::Vector(x) => (x & 15, x >> 4 << 3),
            Source::Memory(at) | Source::Broadcast(at) => {
                (at.base as u8, at.index.map_or(0, |index| index as u8))
            }
        };
        // All of these bits are stored inverted.
        let not = |x: u8, bit: u8| (!x >> bit) & 1;
        let (mask, zeroed) = match lanes {
            Lanes::All => (0, 0),
            Lanes::Merged(mask) => (mask, 0),
            Lanes::Zeroed(mask) => (mask, 1),
        };
        let broadcast = u8::from(matches!(source, Source::Broadcast(_)));
        let extensions = not(register, 3) << 7
            | not(index, 3) << 6
            | not(base, 3) << 5
            | not(register, 4) << 4
            | op.map;
        let operand = u8::from(op.wide) << 7 | (!first & 15) << 3 | 1 << 2 | op.prefix;
        let masking =
            zeroed << 7 | (length as u8) << 5 | broadcast << 4 | not(first, 4) << 3 | mask;
        self.code.extend([0x62, extensions, operand, masking, op.code]);
        match source {
            Source::Vector(x) => self.code.push(0xC0 | (register & 7) << 3 | x & 7),
            Source::Memory(at) | Source::Broadcast(at) => self.address(register, at, unit),
        }
    }

    /// The bytes of an address, with the register that stands beside it.
    fn address(&mut self, register: u8, Address { base, index, offset }: Address, unit: i32) {
        let (base, register) = (base as u8 & 7, (register & 7) << 3);
        let short = i8::try_from(offset / unit).ok().filter(|_| offset % unit == 0);
        // Without an offset, that base would be no base.
        let mode = match (offset, short) {
            (0, _) if base != Gpr::Rbp as u8 => 0x00,
            (_, Some(_)) => 0x40,
            _ => 0x80,
        };
        match index {
            None if base != Gpr::Rsp as u8 => self.code.push(mode | register | base),
            index => {
                let index = index.map_or(Gpr::Rsp as u8, |index| index as u8 & 7);
                self.code.extend([mode | register | 4, index << 3 | base]);
            }
        }
        match (mode, short) {
            (0x40, Some(short)) => self.code.push(short as u8),
            (0x80, _) => self.code.extend(offset.to_le_bytes()),
            _ => {}
        }
    }

    pub fn load(&mut self, out: Vector, at: Address, lanes: Lanes) {
        self.vector(MOVE, Length::Sixteen, out, None, Source::Memory(at), lanes);
    }

    pub fn store(&mut self, x: Vector, at: Address, lanes: Lanes) {
        self.vector(STORE, Length::Sixteen, x, None, Source::Memory(at), lanes);
    }

    pub fn load_one(&mut self, out: Vector, at: Address) {
        self.evex(LOAD_ONE, Length::Four, out, 0, Source::Memory(at), Lanes::All, 4);
    }

    pub fn store_one(&mut self, x: Vector, at: Address) {
        self.evex(STORE_ONE, Length::Four, x, 0, Source::Memory(at), Lanes::All, 4);
    }

    /// One number in memory, in all lanes.
    pub fn broadcast(&mut self, length: Length, out: Vector, at: Address) {
        self.evex(BROADCAST, length, out, 0, Source::Memory(at), Lanes::All, 4);
    }

    /// Half of the lanes of x, from the upper half on: from sixteen numbers on to one.
    pub fn upper_half(&mut self, width: usize, out: Vector, x: Vector) {
        let all = Lanes::All;
        match width {
            8 => {
                self.evex(UPPER_EIGHT, Length::Sixteen, x, 0, Source::Vector(out), all, 1);
                self.code.push(1);
            }
            4 => {
                self.evex(UPPER_FOUR, Length::Eight, x, 0, Source::Vector(out), all, 1);
                self.code.push(1);
            }
            2 => self.vector(UPPER_TWO, Length::Four, out, Some(x), Source::Vector(x), all),
            _ => self.vector(ODD, Length::Four, out, None, Source::Vector(x), all),
        }
    }

    /// `out = first < source` and its kin, lane by lane.
    pub fn compare(
        &mut self,
        predicate: u8,
        length: Length,
        out: Mask,
        first: Vector,
        source: Source,
    ) {
        self.vector(COMPARE, length, out, Some(first), source, Lanes::All);
        self.code.push(predicate);
    }

    /// An instruction on 64 bits, with a register and an address.
    fn general(&mut self, code: u8, register: Gpr, at: Address) {
        let (register, index) = (register as u8, at.index.map_or(0, |index| index as u8));
        self.code.push(0x48 | register >> 3 << 2 | index >> 3 << 1 | at.base as u8 >> 3);
        self.code.push(code);
        self.address(register, at, 1);
    }

    pub fn load_general(&mut self, out: Gpr, at: Address) {
        self.general(0x8B, out, at);
    }

    pub fn store_general(&mut self, x: Gpr, at: Address) {
        self.general(0x89, x, at);
    }

    pub fn add_memory(&mut self, out: Gpr, at: Address) {
        self.general(0x03, out, at);
    }

    pub fn compare_memory(&mut self, x: Gpr, at: Address) {
        self.general(0x3B, x, at);
    }

    pub fn add(&mut self, out: Gpr, x: Gpr) {
        let (out, x) = (out as u8, x as u8);
        self.code.extend([0x48 | x >> 3 << 2 | out >> 3, 0x01, 0xC0 | (x & 7) << 3 | out & 7]);
    }

    pub fn add_constant(&mut self, out: Gpr, x: i32) {
        let out = out as u8;
        self.code.extend([0x48 | out >> 3, 0x81, 0xC0 | out & 7]);
        self.code.extend(x.to_le_bytes());
    }

    pub fn clear(&mut self, out: Gpr) {
        let out = out as u8;
        self.code.extend([0x48 | out >> 3 << 2 | out >> 3, 0x31, 0xC0 | (out & 7) << 3 | out & 7]);
    }

    /// Fetches a line of the cache, to be read or to be written to; past the end of memory, nothing happens.
    pub fn prefetch(&mut self, at: Address, to_write: bool) {
        let index = at.index.map_or(0, |index| index as u8);
        self.code.push(0x40 | index >> 3 << 1 | at.base as u8 >> 3);
        self.code.extend([0x0F, if to_write { 0x0D } else { 0x18 }]);
        self.address(1, at, 1);
    }

    /// A mask from 16 bits of memory.
    pub fn load_mask(&mut self, out: Mask, at: Address) {
        debug_assert!((at.base as u8) < 8 && at.index.is_none(), "encoded without extensions");
        // VEX.L0.0F.W0 90.
        self.code.extend([0xC5, 0xF8, 0x90]);
        self.address(out, at, 1);
    }

    pub fn push(&mut self, x: Gpr) {
        self.code.extend([0x40 | x as u8 >> 3, 0x50 | x as u8 & 7]);
    }

    pub fn pop(&mut self, x: Gpr) {
        self.code.extend([0x40 | x as u8 >> 3, 0x58 | x as u8 & 7]);
    }

    /// Returns, with the upper halves of vectors cleared, as other code expects them.
    pub fn leave(&mut self) {
        self.code.extend([0xC5, 0xF8, 0x77, 0xC3]);
    }

    pub fn jump(&mut self, to: &mut Label, when: Condition) {
        self.code.extend([0x0F, 0x80 | when as u8]);
        let at = self.code.len();
        self.code.extend([0; 4]);
        match to.at {
            Some(target) => self.patch(at, target),
            None => to.jumps.push(at),
        }
    }

    /// The next instruction is where jumps to the label go.
    pub fn place(&mut self, label: &mut Label) {
        let here = self.code.len();
        label.at = Some(here);
        for at in label.jumps.drain(..) {
            self.patch(at, here);
        }
    }

    /// Distances count from behind the jump.
    fn patch(&mut self, at: usize, target: usize) {
        let distance = target as i64 - (at as i64 + 4);
        self.code[at..at + 4].copy_from_slice(&(distance as i32).to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(emit: impl FnOnce(&mut Assembler)) -> String {
        let mut assembler = Assembler::default();
        emit(&mut assembler);
        assembler.code.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
    }

    /// What the GNU assembler makes of the instruction beside each.
    #[test]
    fn instructions_have_the_bytes_of_another_assembler() {
        let (all, sixteen) = (Lanes::All, Length::Sixteen);
        let number = |offset| Source::Broadcast(Address::at(Gpr::Rdi, offset));
        let indexed = |base, index, offset| Address { base, index: Some(index), offset };
        let vector = |op, out, first, source, lanes| {
            bytes(|asm| asm.vector(op, sixteen, out, first, source, lanes))
        };
        // vaddps zmm17, zmm2, zmm30
        let sum = vector(ADD, 17, Some(2), Source::Vector(30), all);
        assert_eq!(sum, "62 81 6c 48 58 ce");
        // vmulps zmm20, zmm9, dword ptr [rdi+56]{1to16}
        assert_eq!(vector(MUL, 20, Some(9), number(56), all), "62 e1 34 58 59 67 0e");
        // vdivps xmm1, xmm2, dword ptr [rdi+604]{1to4}
        let quotient = bytes(|asm| asm.vector(DIV, Length::Four, 1, Some(2), number(604), all));
        assert_eq!(quotient, "62 f1 6c 18 5e 8f 5c 02 00 00");
        // vpsrad zmm3, zmm28, 23
        let shifted = vector(SHIFT, SHIFT_SIGN, Some(3), Source::Vector(28), all);
        assert_eq!(shifted, "62 91 65 48 72 e4");
        // vcmpps k2, zmm1, dword ptr [rdi+60]{1to16}, 0x11
        let compared = bytes(|asm| asm.compare(0x11, sixteen, 2, 1, number(60)));
        assert_eq!(compared, "62 f1 74 58 c2 57 0f 11");
        // vblendmps zmm1{k3}, zmm2, zmm21
        let blended = vector(BLEND, 1, Some(2), Source::Vector(21), Lanes::Merged(3));
        assert_eq!(blended, "62 b2 6d 4b 65 cd");
        // vfmadd231ps zmm16, zmm2, dword ptr [rdi+64]{1to16}
        assert_eq!(vector(MUL_ADD_231, 16, Some(2), number(64), all), "62 e2 6d 58 b8 47 10");
        // vscalefps zmm1, zmm2, zmm19
        let scaled = vector(SCALE, 1, Some(2), Source::Vector(19), all);
        assert_eq!(scaled, "62 b2 6d 48 2c cb");
        // vmovups zmm25{k7}{z}, [r13+rax+64]; vmovups [rbp+r15]{k7}, zmm25; vmovups [r12+rax+100], zmm3
        let loaded = bytes(|asm| asm.load(25, indexed(Gpr::R13, Gpr::Rax, 64), Lanes::Zeroed(7)));
        assert_eq!(loaded, "62 41 7c cf 10 4c 05 01");
        let stored = bytes(|asm| asm.store(25, indexed(Gpr::Rbp, Gpr::R15, 0), Lanes::Merged(7)));
        assert_eq!(stored, "62 21 7c 4f 11 4c 3d 00");
        let unaligned = bytes(|asm| asm.store(3, indexed(Gpr::R12, Gpr::Rax, 100), all));
        assert_eq!(unaligned, "62 d1 7c 48 11 9c 04 64 00 00 00");
        // vmovss [rdi+72], xmm19; vbroadcastss zmm5, [rdi+88]
        let one = bytes(|asm| asm.store_one(19, Address::at(Gpr::Rdi, 72)));
        assert_eq!(one, "62 e1 7e 08 11 5f 12");
        let broadcast = bytes(|asm| asm.broadcast(sixteen, 5, Address::at(Gpr::Rdi, 88)));
        assert_eq!(broadcast, "62 f2 7d 48 18 6f 16");
        // vextractf64x4 ymm9, zmm18, 1; vextractf32x4 xmm9, ymm18, 1; vmovhlps and vmovshdup of xmm18
        let halves = [8, 4, 2, 1]
            .map(|width| bytes(|asm| asm.upper_half(width, if width > 2 { 9 } else { 2 }, 18)));
        let expected = [
            "62 c3 fd 48 1b d1 01",
            "62 c3 7d 28 19 d1 01",
            "62 b1 6c 00 12 d2",
            "62 b1 7e 08 16 d2",
        ];
        assert_eq!(halves, expected);
        // kmovw k7, [rdi+40]; mov r9, [rsi+136]; mov [rdi+80], r8; add r10, rdx; xor r15, r15
        let mask = bytes(|asm| asm.load_mask(7, Address::at(Gpr::Rdi, 40)));
        assert_eq!(mask, "c5 f8 90 7f 28");
        let general = bytes(|asm| asm.load_general(Gpr::R9, Address::at(Gpr::Rsi, 136)));
        assert_eq!(general, "4c 8b 8e 88 00 00 00");
        let kept = bytes(|asm| asm.store_general(Gpr::R8, Address::at(Gpr::Rdi, 80)));
        assert_eq!(kept, "4c 89 47 50");
        assert_eq!(bytes(|asm| asm.add(Gpr::R10, Gpr::Rdx)), "49 01 d2");
        assert_eq!(bytes(|asm| asm.clear(Gpr::R15)), "4d 31 ff");
        // prefetcht0 [r9+rax+1024]
        let fetched = bytes(|asm| asm.prefetch(indexed(Gpr::R9, Gpr::Rax, 1024), false));
        assert_eq!(fetched, "41 0f 18 8c 01 00 04 00 00");
    }

    #[test]
    fn jumps_know_how_far_they_go_in_either_direction() {
        let code = bytes(|asm| {
            let (mut back, mut ahead) = (Label::default(), Label::default());
            asm.place(&mut back);
            asm.jump(&mut ahead, Condition::Below);
            asm.jump(&mut back, Condition::NotBelow);
            asm.place(&mut ahead);
        });
        assert_eq!(code, "0f 82 06 00 00 00 0f 83 f4 ff ff ff");
    }
}
