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
;   ; %y: 31 terms after 3 rounds, saturated; as written
;   graph inverse_attention {
;     %q = input : f32[2, 7, 8]
;     %k = input : f32[2, 7, 8]
;     %l = input : f32[2, 7, 3]
;     %c = input : f32[2, 7, 5]
;     %g = weight : f32[6, 5]
;     %b = weight : f32[2, 5]
;     %6 = view %g { map = "[5, 6] of 30: 5*i1 + i0" } : f32[5, 6]
;     %7 = const { value = 0.25 } : f32[2, 7, 7]
;     %8 = view %b { map = "[5, 2] of 10: 5*i1 + i0" } : f32[5, 2]
;     %9 = view %l { map = "[2, 7, 1, 3] of 42: 21*i0 + 3*i1 + i3" } : f32[2, 7, 1, 3]
;     %10 = matmul %c, %6 : f32[2, 7, 6]
;     %11 = view %10 { map = "[2, 7, 3, 2] of 84: 42*i0 + 6*i1 + 2*i2 + i3" } : f32[2, 7, 3, 2]
;     %12 = matmul %9, %11 : f32[2, 7, 1, 2]
;     %13 = view %12 { map = "[2, 7, 2] of 28: 14*i0 + 2*i1 + i2" } : f32[2, 7, 2]
;     %14 = scores %q, %k : f32[2, 7, 7]
;     %15 = mul %14, %7 : f32[2, 7, 7]
;     %16 = attend %15, %c { axis = -2 } : f32[2, 7, 5]
;     %17 = matmul %16, %8 : f32[2, 7, 2]
;     %y = add %13, %17 : f32[2, 7, 2]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan inverse_attention {
;     %11 = product [1, 14, 5] by [5, 6], constant %6 reading %c
;     %13 = product [14, 1, 3] by [3, 2] reading %l, %11
;     %16 = product [2, 7, 8] by [8, 7] reading %q, %k
;     %27 = row [14, 7] reading %16
;     %28 = product [2, 7, 7] by [7, 5] reading %27, %c
;     %y = product [1, 14, 5] by [5, 2], constant %8 reading %28, %13
;   }

; expect check
;   %y within 1e-5 of the reference
