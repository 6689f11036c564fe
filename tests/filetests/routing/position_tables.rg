; test roundtrip
; test eval
; test plan target=x86-64-v4
; test check

// Score terms that tables hold are gathered when weights are bound.
graph position_tables {
  %q = input : f32[2, 12, 4]
  %signed = weight : f32[35, 2]
  %unsigned = weight : f32[2, 12]
  %a = relative_bias %signed { height = 3, width = 4 }
  %b = distance_bias %unsigned { height = 3, width = 4, stride = 1 }
  %bias = add %a, %b
  %y = attention %q, %q, %q, %bias { scale = 0.5 }
  return %y
}

; expect roundtrip
;   graph position_tables {
;     %q = input : f32[2, 12, 4]
;     %signed = weight : f32[35, 2]
;     %unsigned = weight : f32[2, 12]
;     %a = relative_bias %signed { height = 3, width = 4 } : f32[2, 12, 12]
;     %b = distance_bias %unsigned { height = 3, width = 4, stride = 1 } : f32[2, 12, 12]
;     %bias = add %a, %b : f32[2, 12, 12]
;     %y = attention %q, %q, %q, %bias { scale = 0.5 } : f32[2, 12, 4]
;     return %y
;   }

; expect eval
;   6912 flops
;   %y : f32[2, 12, 4] = 0.08328 -0.01413 0.37037 0.25308 0.12161 0.20299 … norm 2.87913

; expect plan target=x86-64-v4
;   plan position_tables {
;     %y = attend [2, 12, 12] over 4 values reading %bias, %q
;   }

; expect check
;   %y within 1e-5 of the reference
