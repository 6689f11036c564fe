; test roundtrip
; test eval
; test optimize target=x86-64-v4
; test plan target=x86-64-v4
; test check

// Inverse attention by itself, without a bias: three local and five context channels make matrices of 3 x 2.
graph inverse_attention {
  %q = input : f32[2, 7, 8]
  %k = input : f32[2, 7, 8]
  %l = input : f32[2, 7, 3]
  %c = input : f32[2, 7, 5]
  %g = weight : f32[6, 5]
  %b = weight : f32[2, 5]
  %y = inverse_attention %q, %k, %l, %c, %g, %b { scale = 0.25 }
  return %y
}

; expect roundtrip
;   graph inverse_attention {
;     %q = input : f32[2, 7, 8]
;     %k = input : f32[2, 7, 8]
;     %l = input : f32[2, 7, 3]
;     %c = input : f32[2, 7, 5]
;     %g = weight : f32[6, 5]
;     %b = weight : f32[2, 5]
;     %y = inverse_attention %q, %k, %l, %c, %g, %b { scale = 0.25 } : f32[2, 7, 2]
;     return %y
;   }

; expect eval
;   4452 flops
;   %y : f32[2, 7, 2] = -0.39259 0.24389 1.05364 -1.03872 -0.53423 0.51305 … norm 3.30742

; expect optimize target=x86-64-v4
;   ; %y: 47 e-nodes, 6 iterations, saturated; generated-matrices, view-of-view ×3, view-in-place, weights-before-inverse
;   graph inverse_attention {
;     %q = input : f32[2, 7, 8]
;     %k = input : f32[2, 7, 8]
;     %l = input : f32[2, 7, 3]
;     %c = input : f32[2, 7, 5]
;     %g = weight : f32[6, 5]
;     %b = weight : f32[2, 5]
;     %6 = view %l { map = "[2, 7, 15] of 42: 21*i0 + 3*i1 + i2/5" } : f32[2, 7, 15]
;     %7 = view %c { map = "[2, 7, 15] of 70: 35*i0 + 5*i1 + i2%5" } : f32[2, 7, 15]
;     %8 = mul %6, %7 : f32[2, 7, 15]
;     %9 = view %g { map = "[15, 2] of 30: 10*i0/5 + 5*i1 + i0%5" } : f32[15, 2]
;     %10 = matmul %8, %9 : f32[2, 7, 2]
;     %11 = scores %q, %k : f32[2, 7, 7]
;     %12 = const { value = 0.25 } : f32[2, 7, 7]
;     %13 = mul %11, %12 : f32[2, 7, 7]
;     %14 = view %b { map = "[5, 2] of 10: 5*i1 + i0" } : f32[5, 2]
;     %15 = matmul %c, %14 : f32[2, 7, 2]
;     %16 = attend %13, %15 { axis = -2 } : f32[2, 7, 2]
;     %y = add %10, %16 : f32[2, 7, 2]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan inverse_attention {
;     %10 = matmul [1, 14, 15] by [15, 2], constant %9 reading %l, %c
;     %15 = matmul [1, 14, 5] by [5, 2], constant %14 reading %c
;     %y = inverse [2, 7, 7] over 2 values reading %15, %10, %q, %k
;   }

; expect check
;   %y within 1e-5 of the reference
