; test optimize target=x86-64-v4
; test check

// A learned share of two attentions, as in bidirectional attention: both shares end in the values' weights.
graph mixture {
  %x = input : f32[2, 9, 8]
  %z = input : f32[2, 9, 8]
  %share = weight : f32[1]
  %wv = weight : f32[8, 8]
  %wu = weight : f32[8, 8]
  %v = matmul %z, %wv
  %u = matmul %z, %wu
  %s = scores %x, %z
  %forward = attend %s, %v { axis = -1 }
  %inverse = attend %s, %u { axis = -2 }
  %rest = sub 1.0, %share
  %f = mul %share, %forward
  %i = mul %rest, %inverse
  %y = add %f, %i
  return %y
}

; expect optimize target=x86-64-v4
;   ; %y: 35 e-nodes, 7 iterations, saturated; mul-constant-right ×2, factor-into-values ×2, factor-after-weights ×2
;   ; merge-parallel-products ×1
;   graph mixture {
;     %x = input : f32[2, 9, 8]
;     %z = input : f32[2, 9, 8]
;     %share = weight : f32[1]
;     %wv = weight : f32[8, 8]
;     %wu = weight : f32[8, 8]
;     %5 = const { value = 1.0 } : f32[1]
;     %rest = sub %5, %share : f32[1]
;     %s = scores %x, %z : f32[2, 9, 9]
;     %8 = view %share { map = "[8, 8] of 1: 0" } : f32[8, 8]
;     %9 = mul %wv, %8 : f32[8, 8]
;     %10 = view %rest { map = "[8, 8] of 1: 0" } : f32[8, 8]
;     %11 = mul %wu, %10 : f32[8, 8]
;     %12 = iota { axis = -1 } : i32[8, 16]
;     %13 = view %9 { map = "[8, 16] of 64: 8*i0 + i1%8 + (i1/8) in 1 * 0 else 0.0" } : f32[8, 16]
;     %14 = view %11 { map = "[8, 16] of 64: 8*i0 + i1%8 + (-1 + i1/8) in 1 * 0 else 0.0" } : f32[8, 16]
;     %15 = const { value = 8.0 } : i32[8, 16]
;     %16 = le %15, %12 : bool[8, 16]
;     %17 = select %16, %14, %13 : f32[8, 16]
;     %18 = matmul %z, %17 : f32[2, 9, 16]
;     %19 = view %18 { map = "[2, 9, 8] of 288: 144*i0 + 16*i1 + i2" } : f32[2, 9, 8]
;     %20 = view %18 { map = "[2, 9, 8] of 288: 8 + 144*i0 + 16*i1 + i2" } : f32[2, 9, 8]
;     %f = attend %s, %19 { axis = -1 } : f32[2, 9, 8]
;     %i = attend %s, %20 { axis = -2 } : f32[2, 9, 8]
;     %y = add %f, %i : f32[2, 9, 8]
;     return %y
;   }

; expect check
;   %y within 1e-5 of the reference
