; test roundtrip
; test eval
; test plan target=x86-64-v4
; test schedule target=x86-64-v4
; test check

// The two nodes that attention is made of, without a batch.
graph scores_attend {
  %q = input : f32[7, 8]
  %k = input : f32[9, 8]
  %v = input : f32[9, 5]
  %s = scores %q, %k
  %u = mul %s, 0.353553
  %y = attend %u, %v { axis = -1 }
  return %y
}

; expect roundtrip
;   graph scores_attend {
;     %q = input : f32[7, 8]
;     %k = input : f32[9, 8]
;     %v = input : f32[9, 5]
;     %s = scores %q, %k : f32[7, 9]
;     %4 = const { value = 0.353553 } : f32[]
;     %u = mul %s, %4 : f32[7, 9]
;     %y = attend %u, %v { axis = -1 } : f32[7, 5]
;     return %y
;   }

; expect eval
;   2016 flops
;   %y : f32[7, 5] = 0.08291 -0.01845 -0.16203 -0.18792 0.33442 -0.02342 … norm 1.04045

; expect plan target=x86-64-v4
;   plan scores_attend {
;     %y = attend [1, 7, 9] over 5 values reading %v, %q, %k
;   }

; expect schedule target=x86-64-v4
;   schedule scores_attend for x86-64-v4 {
;     %y attend queries 2 mr 2 keys 1 values 1
;   }

; expect check
;   %y within 1e-5 of the reference
