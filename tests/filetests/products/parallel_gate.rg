; test optimize target=x86-64-v4
; test plan target=x86-64-v4
; test check

; A gate is worth more behind its product: the two stay apart.
graph parallel_gate {
  %x = input : f32[9, 12]
  %w = weight : f32[12, 21]
  %g = weight : f32[12, 21]
  %1 = matmul %x, %w
  %2 = matmul %x, %g
  %3 = sigmoid %2
  %y = mul %1, %3
  return %y
}

; expect optimize target=x86-64-v4
;   ; %y: 7 e-nodes, 1 iteration, saturated; unchanged
;   graph parallel_gate {
;     %x = input : f32[9, 12]
;     %w = weight : f32[12, 21]
;     %g = weight : f32[12, 21]
;     %3 = matmul %x, %w : f32[9, 21]
;     %4 = matmul %x, %g : f32[9, 21]
;     %5 = sigmoid %4 : f32[9, 21]
;     %y = mul %3, %5 : f32[9, 21]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan parallel_gate {
;     %3 = matmul [1, 9, 12] by [12, 21], constant %w reading %x
;     %y = matmul [1, 9, 12] by [12, 21], constant %g reading %x, %3
;   }

; expect check
;   %y within 1e-5 of the reference
