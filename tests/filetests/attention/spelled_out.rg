; test eval
; test optimize target=x86-64-v4
; test canonical
; test plan target=x86-64-v4
; test check

// Attention as primitives and a softmax: the rules recognise it.
graph spelled_out {
  %q = input : f32[2, 9, 8]
  %k = input : f32[2, 9, 8]
  %v = input : f32[2, 9, 8]
  %t = transpose %k { order = [-1, -2] }
  %s = matmul %q, %t
  %u = mul %s, 0.353553
  %w = softmax %u { axis = -1 }
  %y = matmul %w, %v
  return %y
}

; expect eval
;   6156 flops
;   %y : f32[2, 9, 8] = -0.18479 0.03950 0.00159 0.08558 -0.10137 -0.34671 … norm 3.12996

; expect optimize target=x86-64-v4
;   ; %y: 21 e-nodes, 6 iterations, saturated; attend, scores, view-of-view, view-in-place
;   graph spelled_out {
;     %q = input : f32[2, 9, 8]
;     %k = input : f32[2, 9, 8]
;     %v = input : f32[2, 9, 8]
;     %s = scores %q, %k : f32[2, 9, 9]
;     %4 = const { value = 0.353553 } : f32[2, 9, 9]
;     %u = mul %s, %4 : f32[2, 9, 9]
;     %y = attend %u, %v { axis = -1 } : f32[2, 9, 8]
;     return %y
;   }

; expect canonical
;   graph spelled_out {
;     %q = input : f32[2, 9, 8]
;     %k = input : f32[2, 9, 8]
;     %v = input : f32[2, 9, 8]
;     %t = view %k { map = "[2, 8, 9] of 144: 72*i0 + 8*i2 + i1" } : f32[2, 8, 9]
;     %s = matmul %q, %t : f32[2, 9, 9]
;     %5 = const { value = 0.353553 } : f32[2, 9, 9]
;     %u = mul %s, %5 : f32[2, 9, 9]
;     %7 = reduce %u { op = max, axis = -1 } : f32[2, 9, 1]
;     %8 = view %7 { map = "[2, 9, 9] of 18: 9*i0 + i1" } : f32[2, 9, 9]
;     %9 = const { value = -3.4028234663852886e38 } : f32[2, 9, 9]
;     %10 = max %8, %9 : f32[2, 9, 9]
;     %11 = sub %u, %10 : f32[2, 9, 9]
;     %12 = exp %11 : f32[2, 9, 9]
;     %13 = reduce %12 { op = sum, axis = -1 } : f32[2, 9, 1]
;     %14 = view %13 { map = "[2, 9, 9] of 18: 9*i0 + i1" } : f32[2, 9, 9]
;     %15 = const { value = 1.0 } : f32[2, 9, 9]
;     %16 = max %14, %15 : f32[2, 9, 9]
;     %w = div %12, %16 : f32[2, 9, 9]
;     %y = matmul %w, %v : f32[2, 9, 8]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan spelled_out {
;     %y = attend [2, 9, 9] over 8 values reading %v, %q, %k
;   }

; expect check
;   %y within 1e-5 of the reference
