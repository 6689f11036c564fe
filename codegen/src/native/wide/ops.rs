//! Which opcode each vector operation has at each width.
//!
//! A row names the 512-bit form, the 256-bit form and, where the operation also works on one f32, the two
//! scalar forms. Kernels of 16 lanes use EVEX forms throughout, since only those reach registers 16 to 31;
//! kernels of 8 lanes use VEX forms, since AVX2 has no others.

use iced_x86::Code;

/// The forms of one operation.
#[derive(Clone, Copy)]
pub(crate) struct Op {
    evex: Code,
    vex: Code,
    evex_scalar: Code,
    vex_scalar: Code,
}

impl Op {
    /// The form for whole vectors of 16 or 8 lanes.
    pub(crate) fn vector(self, lanes: u32) -> Code {
        if lanes == 16 { self.evex } else { self.vex }
    }
    /// The form for lane 0 of an xmm register in a kernel of 16 or 8 lanes.
    pub(crate) fn scalar(self, lanes: u32) -> Code {
        let code = if lanes == 16 { self.evex_scalar } else { self.vex_scalar };
        assert_ne!(code, Code::INVALID, "{:?} has no scalar form", self.evex);
        code
    }
}

macro_rules! ops {
    ($($name:ident = $evex:ident, $vex:ident $(, $evex_scalar:ident, $vex_scalar:ident)?;)*) => {
        $(pub(crate) const $name: Op = Op {
            evex: Code::$evex,
            vex: Code::$vex,
            evex_scalar: ops!(@ $($evex_scalar)?),
            vex_scalar: ops!(@ $($vex_scalar)?),
        };)*
    };
    (@ $code:ident) => { Code::$code };
    (@) => { Code::INVALID };
}

ops! {
    LOAD = EVEX_Vmovups_zmm_k1z_zmmm512, VEX_Vmovups_ymm_ymmm256, EVEX_Vmovss_xmm_k1z_m32, VEX_Vmovss_xmm_m32;
    STORE = EVEX_Vmovups_zmmm512_k1z_zmm, VEX_Vmovups_ymmm256_ymm, EVEX_Vmovss_m32_k1_xmm, VEX_Vmovss_m32_xmm;
    SPLAT_F32 = EVEX_Vbroadcastss_zmm_k1z_xmmm32, VEX_Vbroadcastss_ymm_xmm;
    SPLAT_MEM = EVEX_Vbroadcastss_zmm_k1z_xmmm32, VEX_Vbroadcastss_ymm_m32;
    SPLAT_I32 = EVEX_Vpbroadcastd_zmm_k1z_xmmm32, VEX_Vpbroadcastd_ymm_xmmm32;

    ADD_F32 = EVEX_Vaddps_zmm_k1z_zmm_zmmm512b32_er, VEX_Vaddps_ymm_ymm_ymmm256,
        EVEX_Vaddss_xmm_k1z_xmm_xmmm32_er, VEX_Vaddss_xmm_xmm_xmmm32;
    SUB_F32 = EVEX_Vsubps_zmm_k1z_zmm_zmmm512b32_er, VEX_Vsubps_ymm_ymm_ymmm256,
        EVEX_Vsubss_xmm_k1z_xmm_xmmm32_er, VEX_Vsubss_xmm_xmm_xmmm32;
    MUL_F32 = EVEX_Vmulps_zmm_k1z_zmm_zmmm512b32_er, VEX_Vmulps_ymm_ymm_ymmm256,
        EVEX_Vmulss_xmm_k1z_xmm_xmmm32_er, VEX_Vmulss_xmm_xmm_xmmm32;
    DIV_F32 = EVEX_Vdivps_zmm_k1z_zmm_zmmm512b32_er, VEX_Vdivps_ymm_ymm_ymmm256,
        EVEX_Vdivss_xmm_k1z_xmm_xmmm32_er, VEX_Vdivss_xmm_xmm_xmmm32;
    MIN_F32 = EVEX_Vminps_zmm_k1z_zmm_zmmm512b32_sae, VEX_Vminps_ymm_ymm_ymmm256,
        EVEX_Vminss_xmm_k1z_xmm_xmmm32_sae, VEX_Vminss_xmm_xmm_xmmm32;
    MAX_F32 = EVEX_Vmaxps_zmm_k1z_zmm_zmmm512b32_sae, VEX_Vmaxps_ymm_ymm_ymmm256,
        EVEX_Vmaxss_xmm_k1z_xmm_xmmm32_sae, VEX_Vmaxss_xmm_xmm_xmmm32;
    SQRT_F32 = EVEX_Vsqrtps_zmm_k1z_zmmm512b32_er, VEX_Vsqrtps_ymm_ymmm256,
        EVEX_Vsqrtss_xmm_k1z_xmm_xmmm32_er, VEX_Vsqrtss_xmm_xmm_xmmm32;
    ROUND_F32 = EVEX_Vrndscaleps_zmm_k1z_zmmm512b32_imm8_sae, VEX_Vroundps_ymm_ymmm256_imm8,
        EVEX_Vrndscaless_xmm_k1z_xmm_xmmm32_imm8_sae, VEX_Vroundss_xmm_xmm_xmmm32_imm8;
    FMA_231 = EVEX_Vfmadd231ps_zmm_k1z_zmm_zmmm512b32_er, VEX_Vfmadd231ps_ymm_ymm_ymmm256,
        EVEX_Vfmadd231ss_xmm_k1z_xmm_xmmm32_er, VEX_Vfmadd231ss_xmm_xmm_xmmm32;
    FMA_213 = EVEX_Vfmadd213ps_zmm_k1z_zmm_zmmm512b32_er, VEX_Vfmadd213ps_ymm_ymm_ymmm256,
        EVEX_Vfmadd213ss_xmm_k1z_xmm_xmmm32_er, VEX_Vfmadd213ss_xmm_xmm_xmmm32;
    I32_TO_F32 = EVEX_Vcvtdq2ps_zmm_k1z_zmmm512b32_er, VEX_Vcvtdq2ps_ymm_ymmm256;
    F32_TO_I32 = EVEX_Vcvttps2dq_zmm_k1z_zmmm512b32_sae, VEX_Vcvttps2dq_ymm_ymmm256;

    ADD_I32 = EVEX_Vpaddd_zmm_k1z_zmm_zmmm512b32, VEX_Vpaddd_ymm_ymm_ymmm256;
    SUB_I32 = EVEX_Vpsubd_zmm_k1z_zmm_zmmm512b32, VEX_Vpsubd_ymm_ymm_ymmm256;
    MUL_I32 = EVEX_Vpmulld_zmm_k1z_zmm_zmmm512b32, VEX_Vpmulld_ymm_ymm_ymmm256;
    MIN_I32 = EVEX_Vpminsd_zmm_k1z_zmm_zmmm512b32, VEX_Vpminsd_ymm_ymm_ymmm256;
    MAX_I32 = EVEX_Vpmaxsd_zmm_k1z_zmm_zmmm512b32, VEX_Vpmaxsd_ymm_ymm_ymmm256;
    ABS_I32 = EVEX_Vpabsd_zmm_k1z_zmmm512b32, VEX_Vpabsd_ymm_ymmm256;
    AND = EVEX_Vpandd_zmm_k1z_zmm_zmmm512b32, VEX_Vpand_ymm_ymm_ymmm256;
    OR = EVEX_Vpord_zmm_k1z_zmm_zmmm512b32, VEX_Vpor_ymm_ymm_ymmm256;
    XOR = EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32, VEX_Vpxor_ymm_ymm_ymmm256;
    SHL = EVEX_Vpsllvd_zmm_k1z_zmm_zmmm512b32, VEX_Vpsllvd_ymm_ymm_ymmm256;
    SHR = EVEX_Vpsravd_zmm_k1z_zmm_zmmm512b32, VEX_Vpsravd_ymm_ymm_ymmm256;
    SHL_BY = EVEX_Vpslld_zmm_k1z_zmmm512b32_imm8, VEX_Vpslld_ymm_ymm_imm8;
    SHR_BY = EVEX_Vpsrad_zmm_k1z_zmmm512b32_imm8, VEX_Vpsrad_ymm_ymm_imm8;
    LOGICAL_SHR_BY = EVEX_Vpsrld_zmm_k1z_zmmm512b32_imm8, VEX_Vpsrld_ymm_ymm_imm8;
    WIDE_MUL = EVEX_Vpmuludq_zmm_k1z_zmm_zmmm512b64, VEX_Vpmuludq_ymm_ymm_ymmm256;
    WIDE_SHR_BY = EVEX_Vpsrlq_zmm_k1z_zmmm512b64_imm8, VEX_Vpsrlq_ymm_ymm_imm8;
    WIDE_SHL_BY = EVEX_Vpsllq_zmm_k1z_zmmm512b64_imm8, VEX_Vpsllq_ymm_ymm_imm8;

    PERMUTE = EVEX_Vpermps_zmm_k1z_zmm_zmmm512b32, VEX_Vpermps_ymm_ymm_ymmm256;
    WITHIN_128 = EVEX_Vpermilps_zmm_k1z_zmmm512b32_imm8, VEX_Vpermilps_ymm_ymmm256_imm8;
    INTERLEAVE_LOW = EVEX_Vunpcklps_zmm_k1z_zmm_zmmm512b32, VEX_Vunpcklps_ymm_ymm_ymmm256;
    INTERLEAVE_HIGH = EVEX_Vunpckhps_zmm_k1z_zmm_zmmm512b32, VEX_Vunpckhps_ymm_ymm_ymmm256;
    PAIRS_LOW = EVEX_Vunpcklpd_zmm_k1z_zmm_zmmm512b64, VEX_Vunpcklpd_ymm_ymm_ymmm256;
    PAIRS_HIGH = EVEX_Vunpckhpd_zmm_k1z_zmm_zmmm512b64, VEX_Vunpckhpd_ymm_ymm_ymmm256;
    SWAP_HALVES = EVEX_Vshuff64x2_zmm_k1z_zmm_zmmm512b64_imm8, VEX_Vperm2f128_ymm_ymm_ymmm256_imm8;

    WIDEN_16 = EVEX_Vpmovzxwd_zmm_k1z_ymmm256, VEX_Vpmovzxwd_ymm_xmmm128;
    F16_TO_F32 = EVEX_Vcvtph2ps_zmm_k1z_ymmm256_sae, VEX_Vcvtph2ps_ymm_xmmm128;
    F32_TO_F16 = EVEX_Vcvtps2ph_ymmm256_k1z_zmm_imm8_sae, VEX_Vcvtps2ph_xmmm128_ymm_imm8;
    SPLAT_16 = EVEX_Vpbroadcastw_zmm_k1z_xmmm16, VEX_Vpbroadcastw_ymm_xmmm16;
    SPLAT_16_HALF = EVEX_Vpbroadcastw_ymm_k1z_xmmm16, VEX_Vpbroadcastw_xmm_xmmm16;

    FROM_R32 = EVEX_Vmovd_xmm_rm32, VEX_Vmovd_xmm_rm32, EVEX_Vmovd_xmm_rm32, VEX_Vmovd_xmm_rm32;
    TO_R32 = EVEX_Vmovd_rm32_xmm, VEX_Vmovd_rm32_xmm, EVEX_Vmovd_rm32_xmm, VEX_Vmovd_rm32_xmm;
    INSERT_8 = EVEX_Vpinsrb_xmm_xmm_r32m8_imm8, VEX_Vpinsrb_xmm_xmm_r32m8_imm8;
    INSERT_32 = EVEX_Vpinsrd_xmm_xmm_rm32_imm8, VEX_Vpinsrd_xmm_xmm_rm32_imm8;
    INSERT_16 = EVEX_Vpinsrw_xmm_xmm_r32m16_imm8, VEX_Vpinsrw_xmm_xmm_r32m16_imm8;
    EXTRACT_8 = EVEX_Vpextrb_r32m8_xmm_imm8, VEX_Vpextrb_r32m8_xmm_imm8;
    EXTRACT_16 = EVEX_Vpextrw_r32m16_xmm_imm8, VEX_Vpextrw_r32m16_xmm_imm8;
    EXTRACT_32 = EVEX_Vpextrd_rm32_xmm_imm8, VEX_Vpextrd_rm32_xmm_imm8;
    ZERO = EVEX_Vpxord_xmm_k1z_xmm_xmmm128b32, VEX_Vpxor_xmm_xmm_xmmm128;
}
