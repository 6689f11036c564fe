; test eval
; test optimize target=x86-64-v4
; test core
; test plan target=x86-64-v4
; test check

// Softmax over queries: each key spreads one unit of weight over all queries.
graph inverse {
  %q = input : f32[2, 9, 8]
  %k = input : f32[2, 7, 8]
  %v = input : f32[2, 7, 8]
  %s = scores %q, %k
  %y = attend %s, %v { axis = -2 }
  return %y
}

; expect eval
;   4662 flops
;   %y : f32[2, 9, 8] = -0.21035 0.26889 -0.18375 0.01535 -0.11130 -0.48065 … norm 3.04527

; expect optimize target=x86-64-v4
;   ; %y: 6 terms after 1 rounds, saturated; as written
;   graph inverse {
;     %q = input : f32[2, 9, 8]
;     %k = input : f32[2, 7, 8]
;     %v = input : f32[2, 7, 8]
;     %s = scores %q, %k : f32[2, 9, 7]
;     %y = attend %s, %v { axis = -2 } : f32[2, 9, 8]
;     return %y
;   }

; expect core
;   graph inverse {
;     %q = input : f32[2, 9, 8]
;     %k = input : f32[2, 7, 8]
;     %v = input : f32[2, 7, 8]
;     %3 = view %k { map = "[2, 8, 7] of 112: 56*i0 + 8*i2 + i1" } : f32[2, 8, 7]
;     %s = matmul %q, %3 : f32[2, 9, 7]
;     %5 = reduce %s { op = max, axis = -2 } : f32[2, 1, 7]
;     %6 = view %5 { map = "[2, 9, 7] of 14: 7*i0 + i2" } : f32[2, 9, 7]
;     %7 = const { value = -3.4028234663852886e38 } : f32[2, 9, 7]
;     %8 = max %6, %7 : f32[2, 9, 7]
;     %9 = sub %s, %8 : f32[2, 9, 7]
;     %10 = exp %9 : f32[2, 9, 7]
;     %11 = reduce %10 { op = sum, axis = -2 } : f32[2, 1, 7]
;     %12 = view %11 { map = "[2, 9, 7] of 14: 7*i0 + i2" } : f32[2, 9, 7]
;     %13 = const { value = 1.0 } : f32[2, 9, 7]
;     %14 = max %12, %13 : f32[2, 9, 7]
;     %15 = div %10, %14 : f32[2, 9, 7]
;     %y = matmul %15, %v : f32[2, 9, 8]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan inverse {
;     %s = product [2, 9, 8] by [8, 7] reading %q, %k
;     %15 = row [18, 7] reading %s
;     %y = product [2, 9, 7] by [7, 8] reading %15, %v
;   }

; expect check
;   %y within 1e-5 of the reference
