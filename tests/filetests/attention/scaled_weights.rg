; test eval
; test optimize target=x86-64-v4
; test plan target=x86-64-v4
; test check

// The scale of the queries belongs to weights and bias, where it costs nothing.
graph scaled_weights {
  %x = input : f32[9, 16]
  %wq = weight : f32[16, 16]
  %bq = weight : f32[16]
  %p = matmul %x, %wq
  %b = add %p, %bq
  %q = mul %b, 0.25
  %s = scores %q, %x
  %y = attend %s, %x { axis = -1 }
  return %y
}

; expect eval
;   10485 flops
;   %y : f32[9, 16] = -0.01990 0.26691 0.19562 0.17308 0.43916 0.36836 … norm 3.26951

; expect optimize target=x86-64-v4
;   ; %y: 28 e-nodes, 5 iterations, saturated; number-through-term, number-into-weights
;   graph scaled_weights {
;     %x = input : f32[9, 16]
;     %wq = weight : f32[16, 16]
;     %bq = weight : f32[16]
;     %3 = const { value = 0.25 } : f32[16, 16]
;     %4 = mul %wq, %3 : f32[16, 16]
;     %5 = matmul %x, %4 : f32[9, 16]
;     %6 = const { value = 0.25 } : f32[16]
;     %7 = mul %bq, %6 : f32[16]
;     %8 = view %7 { map = "[9, 16] of 16: i1" } : f32[9, 16]
;     %q = add %5, %8 : f32[9, 16]
;     %s = scores %q, %x : f32[9, 9]
;     %y = attend %s, %x { axis = -1 } : f32[9, 16]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan scaled_weights {
;     %q = matmul [1, 9, 16] by [16, 16], constant %4 reading %x, %7
;     %y = attend [1, 9, 9] over 16 values reading %x, %q
;   }

; expect check
;   %y within 1e-5 of the reference
